from django.core.validators import MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Book",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=100, verbose_name="title")),
                ("pages", models.IntegerField(validators=[MinValueValidator(1)], verbose_name="pages")),
                ("added", models.DateTimeField(auto_now_add=True)),
                ("facts", models.JSONField(blank=True, default=dict)),
            ],
            options={"ordering": ["title"]},
        ),
    ]
