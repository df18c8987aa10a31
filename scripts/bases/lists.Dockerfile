# tag: debian-lists:bookworm
# Debian with apt's lists of packages, fetched once for all images on top.
FROM debian:bookworm-slim
RUN apt-get update
