"""Greets people; the smallest program that is of any use."""

import argparse
import json
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="hello", description=__doc__)
    parser.add_argument("--version", action="version", version="hello 1.0")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    commands = parser.add_subparsers(dest="command")
    greet = commands.add_parser("greet", help="greet somebody")
    greet.add_argument("name")
    greet.add_argument("--shout", action="store_true")
    commands.add_parser("sum", help="add up the numbers of a JSON list on stdin")
    when = commands.add_parser("when", help="say when a date is")
    when.add_argument("date", help="YYYY-MM-DD")
    options = parser.parse_args()

    if options.command == "sum":
        try:
            answer = {"sum": sum(json.load(sys.stdin))}
        except (ValueError, TypeError) as error:
            print(f"hello: not a list of numbers: {error}", file=sys.stderr)
            return 1
    elif options.command == "when":
        from datetime import date

        answer = {"weekday": date.fromisoformat(options.date).strftime("%A")}
    else:
        name = options.name if options.command else "world"
        text = f"hello, {name}"
        answer = {"greeting": text.upper() if options.command and options.shout else text}

    print(json.dumps(answer, ensure_ascii=False) if options.json else next(iter(answer.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
