bind = "0.0.0.0:8000"
workers = 2
worker_class = "gthread"
threads = 4
graceful_timeout = 5

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "service.logs.JsonFormatter"},
        "plain": {"class": "logging.Formatter", "format": "%(levelname)s %(name)s: %(message)s"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
        "recent": {"class": "service.logs.RecentHandler", "formatter": "plain", "capacity": 50},
        "buffered": {
            "class": "logging.handlers.MemoryHandler",
            "capacity": 1,
            "target": "console",
        },
    },
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "quotes": {"level": "INFO", "handlers": ["recent", "buffered"], "propagate": False},
        "gunicorn.error": {"level": "INFO", "handlers": ["console"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": ["console"], "propagate": False},
    },
}
