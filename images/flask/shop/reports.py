"""A stream of CSV, and a text in an old encoding."""

import csv
import io

from flask import Response, stream_with_context

from . import GOODS


def answer(rest):
    def lines():
        for row in GOODS.items():
            text = io.StringIO()
            csv.writer(text).writerow(row)
            yield text.getvalue()

    if rest == "goods.csv":
        return Response(stream_with_context(lines()), mimetype="text/csv")
    return Response("Preis: 5 €".encode("cp1252"), mimetype="text/plain; charset=windows-1252")
