import bz2
import difflib


def say():
    same = difflib.SequenceMatcher(None, "late", "plate").ratio()
    return {"ratio": round(same, 2), "packed": len(bz2.compress(b"late" * 100))}
