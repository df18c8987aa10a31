# tag: rust:1.63
FROM gcc:12
RUN apt-get update \
 && apt-get install -y --no-install-recommends rustc \
 && rm -rf /var/lib/apt/lists/*
