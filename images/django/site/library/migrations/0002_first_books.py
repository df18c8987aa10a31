from django.db import migrations


def add(apps, schema_editor):
    books = apps.get_model("library", "Book").objects
    books.create(title="Flatland", pages=96)
    books.create(title="Middlemarch", pages=880)


class Migration(migrations.Migration):
    dependencies = [("library", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
