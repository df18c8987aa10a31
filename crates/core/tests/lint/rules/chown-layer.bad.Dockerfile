FROM python:3.12-slim
COPY src /app
RUN chown -R app:app /app
COPY bin/ /usr/local/bin/
RUN chmod -R 755 /usr/local
#@ src/a.py 100
#> 3 chown-layer look
#> 5 chown-layer hand
