# tag: gcr.io/distroless/base-debian12:latest
FROM debian:bookworm-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get download libc6 libssl3 \
 && for package in *.deb; do dpkg -x "$package" /root-of-image; done \
 && rm -rf /root-of-image/usr/share

FROM gcr.io/distroless/static-debian12:latest
COPY --from=packages /root-of-image /
