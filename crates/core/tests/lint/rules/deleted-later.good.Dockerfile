FROM debian:bookworm-slim AS build
COPY data.bin /tmp/data.bin
RUN rm /tmp/data.bin
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc && apt-get purge -y gcc && rm -rf /var/lib/apt/lists/*
RUN --mount=type=bind,source=data.bin,target=/tmp/data.bin cp /tmp/data.bin /srv
RUN curl -fsSL -o /tmp/setup.sh https://example.com/setup.sh && sh /tmp/setup.sh && rm /tmp/setup.sh
RUN rm -rf /usr/share/doc/*
