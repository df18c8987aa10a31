# tag: debian-jdk:bookworm
FROM debian:bookworm-slim
# The packages' scripts link manual pages into a folder that slim images lack.
RUN mkdir -p /usr/share/man/man1 && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/*
