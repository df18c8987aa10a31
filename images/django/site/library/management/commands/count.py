import statistics

from django.core.management.base import BaseCommand
from library.models import Book


class Command(BaseCommand):
    help = "Counts the books."

    def handle(self, *args, **options):
        pages = [book.pages for book in Book.objects.all()]
        self.stdout.write(f"{len(pages)} books of {statistics.fmean(pages or [0]):.0f} pages")
