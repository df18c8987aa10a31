"""Found by the name of an entry point, and by that of a class."""

import logging


class Formatter(logging.Formatter):
    def format(self, record):
        return f"{record.levelname}: {super().format(record)}"


def shout(text):
    """Makes it loud."""
    return text.upper()


if __name__ == "__main__":
    print(shout("as a program"))
