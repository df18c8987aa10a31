from django import forms

from .models import Book


class BookForm(forms.ModelForm):
    class Meta:
        model = Book
        fields = ["title", "pages"]
        widgets = {"pages": forms.NumberInput(attrs={"min": 1})}
