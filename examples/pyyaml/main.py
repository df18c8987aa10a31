"""Turns YAML into JSON and back."""

import argparse
import json
import sys
from pathlib import Path

import yaml

try:
    from yaml import CSafeDumper as Dumper, CSafeLoader as Loader
except ImportError:
    from yaml import SafeDumper as Dumper, SafeLoader as Loader

SAMPLE = Path(__file__).with_name("deploy.yaml")


def main() -> int:
    parser = argparse.ArgumentParser(prog="yaml2json", description=__doc__)
    parser.add_argument("file", nargs="?", default=str(SAMPLE), help="- for stdin")
    parser.add_argument("--back", action="store_true", help="turn JSON into YAML")
    parser.add_argument("--pure", action="store_true", help="use the parser written in Python")
    parser.add_argument("--events", action="store_true", help="show the parser's events")
    parser.add_argument("--about", action="store_true", help="say which parser is used")
    options = parser.parse_args()
    loader = yaml.SafeLoader if options.pure else Loader

    if options.about:
        libyaml = ".".join(map(str, yaml._yaml.get_version())) if yaml.__with_libyaml__ else "none"
        print(f"loader {loader.__name__}, dumper {Dumper.__name__}, libyaml {libyaml}")
        return 0
    text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8")
    try:
        if options.back:
            print(yaml.dump(json.loads(text), Dumper=Dumper, allow_unicode=True), end="")
        elif options.events:
            for event in yaml.parse(text, Loader=loader):
                print(type(event).__name__)
        else:
            for document in yaml.load_all(text, Loader=loader):
                print(json.dumps(document, default=str, ensure_ascii=False))
    except yaml.YAMLError as error:
        print(f"yaml2json: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
