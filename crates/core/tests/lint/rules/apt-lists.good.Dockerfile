FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y gcc
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && apt-get install -y --no-install-recommends libpq5
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx \
 && apt-get clean \
 && rm -rf /var/lib/{apt,dpkg,cache}/lists /var/lib/apt/
RUN apt-get update && apt-get install -y --no-install-recommends jq && apt-get dist-clean
RUN apt-get update && apt-get install -y --no-install-recommends tree && find /var/lib/apt/lists -type f -delete
# whit: ignore=apt-lists
RUN apt-get update
ONBUILD RUN apt-get update && apt-get install -y gcc
