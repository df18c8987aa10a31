"""Counting, without a screen."""

import re
from collections import Counter
from functools import cache
from importlib import resources

WORD = re.compile(r"[^\W\d_]+")


@cache
def stopwords() -> frozenset[str]:
    text = resources.files("wordtally").joinpath("data/stopwords.txt").read_text("utf-8")
    return frozenset(text.split())


def count(text: str, keep_stopwords: bool = False) -> Counter[str]:
    words = (word.casefold() for word in WORD.findall(text))
    return Counter(word for word in words if keep_stopwords or word not in stopwords())
