from celery import Celery
from celery.schedules import crontab

app = Celery(
    "jobs",
    broker="redis://127.0.0.1:6379/0",
    backend="redis://127.0.0.1:6379/1",
    include=["jobs.sums", "jobs.texts"],
)
app.conf.update(
    timezone="Europe/Berlin",
    broker_connection_retry_on_startup=True,
    task_routes={"jobs.texts.*": {"queue": "celery"}},
    beat_schedule={
        "tick": {"task": "jobs.sums.tick", "schedule": 1.0},
        "nightly": {"task": "jobs.sums.tick", "schedule": crontab(hour="3", minute="0")},
    },
)
