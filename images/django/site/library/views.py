from django.http import JsonResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from .models import Book


def index(request):
    moment = timezone.datetime(2024, 7, 1, 12, tzinfo=timezone.get_default_timezone())
    return render(request, "library/index.html", {"books": Book.objects.all(), "moment": moment, "number": 1234567.891})


def book(request, pk):
    return render(request, "library/book.html", {"book": Book.objects.get(pk=pk)})


def add(request):
    from .forms import BookForm

    form = BookForm(request.POST or None)
    if form.is_valid():
        return redirect(form.save())
    return render(request, "library/add.html", {"form": form}, status=400 if form.errors else 200)


def words(request):
    return JsonResponse(
        {
            "language": get_language(),
            "yes": _("Yes"),
            "own": _("A small library"),
            "number": formats.number_format(1234.5, use_l10n=True, force_grouping=True),
            "date": formats.date_format(timezone.datetime(2024, 7, 1), "DATE_FORMAT"),
        }
    )


def export(request, format):
    from django.core import serializers
    from django.http import HttpResponse

    return HttpResponse(serializers.serialize(format, Book.objects.all()), content_type="text/plain")
