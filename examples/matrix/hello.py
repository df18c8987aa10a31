#!/usr/bin/env python3
import json

print(json.loads('"Hello from Python"'))
