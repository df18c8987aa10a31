"""Modes of a script, all but the first of them unprobed."""


def checks(image):
    names = image.run()
    yield "names", "Ada Lovelace" in names.out and names.status == 0 or names
    oldest = image.run("oldest")
    yield "jq", oldest.out == "Ada Lovelace\n" or oldest
    decades = image.run("decades")
    yield "a pipeline of cut, uniq and awk", "1930s 2" in decades.out or decades
    digest = image.run("digest")
    yield "sha256sum and head", len(digest.out) == 12 or digest
    stamp = image.run("stamp", "86400")
    yield "date", stamp.out == "1970-01-02T00:00:00\n" or stamp
    local = image.run("fetch", "file:///srv/people.json")
    yield "curl of a file", "GRACE HOPPER" in local.out or local
    refused = image.run("fetch", "http://127.0.0.1:9/")
    yield "curl is refused", refused.status == 7 and "onnect" in refused.err or refused
    wrong = image.run("nonsense")
    yield "an error's status", wrong.status == 64 and "no such report" in wrong.err or wrong
