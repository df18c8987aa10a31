FROM python:3.12-slim AS app
RUN pip install --no-cache-dir flask
FROM app AS dev
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential git \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir -r requirements-dev.txt
CMD ["flask", "run", "--debug"]
