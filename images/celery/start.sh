#!/bin/sh
set -e
redis-server --save '' --port 6379 --daemonize yes --loglevel warning
celery --app jobs worker --beat --schedule /tmp/beat --loglevel INFO --concurrency 2 &
exec gunicorn --bind 0.0.0.0:8000 jobs.web:application
