# tag: gcr.io/distroless/cc-debian12:latest
FROM debian:bookworm-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get download libgcc-s1 libstdc++6 libgomp1 \
 && for package in *.deb; do dpkg -x "$package" /root-of-image; done \
 && rm -rf /root-of-image/usr/share

FROM gcr.io/distroless/base-debian12:latest
COPY --from=packages /root-of-image /
