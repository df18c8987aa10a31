from celery import shared_task
from celery.utils.log import get_task_logger

log = get_task_logger(__name__)


@shared_task
def add(a, b):
    return a + b


@shared_task
def tick():
    log.info("tick")


@shared_task(bind=True, max_retries=2, default_retry_delay=0.1)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(exc=OSError("once more"))
    return self.request.retries


@shared_task
def fail():
    raise LookupError("as asked")


@shared_task(soft_time_limit=1)
def sleep():
    import time

    from celery.exceptions import SoftTimeLimitExceeded

    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "woken"
