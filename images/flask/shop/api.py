"""Imported by name when it is first asked for."""

import decimal
import statistics
import zoneinfo
from datetime import datetime
from xml.etree import ElementTree

from flask import Response, jsonify

from . import GOODS


def answer(rest):
    if rest == "goods":
        return jsonify(GOODS)
    if rest == "mean":
        return jsonify(mean=str(decimal.Decimal(round(statistics.fmean(GOODS.values()), 2))))
    if rest == "time":
        moment = datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        return jsonify(offset=moment.utcoffset().total_seconds())
    if rest == "xml":
        root = ElementTree.Element("goods")
        for name, cents in GOODS.items():
            ElementTree.SubElement(root, "good", cents=str(cents)).text = name
        return Response(ElementTree.tostring(root), mimetype="application/xml")
    return jsonify(error="no such call"), 404
