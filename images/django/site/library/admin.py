from django.contrib import admin

from .models import Book


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "pages", "added"]
    list_filter = ["added"]
    search_fields = ["title"]
    date_hierarchy = "added"
