#!/bin/sh
# Brings the database up to date before the server starts.
set -e
if [ "$1" = gunicorn ]; then
    python manage.py migrate --noinput --verbosity 0
    python manage.py createsuperuser --noinput || true
fi
exec "$@"
