FROM python:3.12-slim AS build
RUN pip install -r requirements.txt
FROM python:3.12-slim
RUN pip --no-cache-dir install -r requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt
RUN --mount=type=cache,target=/root/.cache uv sync --no-dev --frozen
RUN PIP_NO_CACHE_DIR=1 pip install flask
RUN pip install flask && rm -rf ~/.cache
RUN pip install flask && pip cache purge
RUN POETRY_CACHE_DIR=/tmp/p poetry install --only main && rm -rf /tmp/p
ENV PIP_NO_CACHE_DIR=1
RUN pip install flask
