import logging


class Lines(logging.Formatter):
    def format(self, record):
        return f"shop {record.levelname.lower()}: {super().format(record)}"
