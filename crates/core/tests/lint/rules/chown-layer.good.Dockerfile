FROM python:3.12-slim
COPY --chown=app:app src /app
RUN mkdir -p /app/data && chown -R app:app /app/data
RUN mkdir /var/lib/x && chown -R 1000 /var/lib/x /var/log
RUN chown app /app/a.py
