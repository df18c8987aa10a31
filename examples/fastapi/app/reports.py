"""Exports. Imported only when somebody asks for one."""

import csv
import io
from xml.etree import ElementTree


def as_csv(items) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "name", "price"])
    writer.writerows((item.id, item.name, f"{item.price:.2f}") for item in items)
    return out.getvalue()


def as_xml(items) -> str:
    root = ElementTree.Element("items")
    for item in items:
        child = ElementTree.SubElement(root, "item", id=str(item.id))
        child.text = item.name
    return ElementTree.tostring(root, encoding="unicode")
