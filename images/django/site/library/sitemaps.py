from django.contrib.sitemaps import Sitemap

from .models import Book


class Books(Sitemap):
    def items(self):
        return Book.objects.all()
