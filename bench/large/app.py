"""Reads its model, counts a little and ends."""

import hashlib
import pathlib

import pandas

model = pathlib.Path(__file__).with_name("model.bin").read_bytes()
frame = pandas.DataFrame({"byte": list(model[:100_000])})
print("a model of", len(model), "bytes", hashlib.sha256(model).hexdigest()[:8])
print("and the mean of its beginning is", round(frame["byte"].mean()))
