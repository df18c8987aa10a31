# tag: eclipse-temurin:17-jre
FROM debian:bookworm-slim
# Its alternatives have manual pages.
RUN mkdir -p /usr/share/man/man1 \
 && apt-get update \
 && apt-get install -y --no-install-recommends openjdk-17-jre-headless \
 && ln -s java-17-openjdk-* /usr/lib/jvm/default \
 && rm -rf /var/lib/apt/lists/*
ENV JAVA_HOME=/usr/lib/jvm/default
