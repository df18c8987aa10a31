"""Output for other programs."""

import csv
import json
import sys


def write(form: str, pairs: list[tuple[str, int]]) -> None:
    if form == "json":
        json.dump(dict(pairs), sys.stdout, ensure_ascii=False)
        print()
    else:
        csv.writer(sys.stdout).writerows(pairs)
