from celery import shared_task


@shared_task
def words(text):
    import collections
    import re

    return dict(collections.Counter(re.findall(r"\w+", text.lower())))


@shared_task
def packed(text):
    import base64
    import lzma

    return base64.b64encode(lzma.compress(text.encode())).decode()


@shared_task
def parsed(text):
    import plistlib
    import tomllib

    return [tomllib.loads(text), len(plistlib.dumps(tomllib.loads(text)))]
