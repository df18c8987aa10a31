# tag: gcr.io/distroless/python3-debian12:latest
FROM debian:bookworm-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get download \
    libbz2-1.0 libdb5.3 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8 libsqlite3-0 \
    libtinfo6 libuuid1 zlib1g libpython3.11-minimal libpython3.11-stdlib python3.11-minimal \
 && for package in *.deb; do dpkg -x "$package" /root-of-image; done \
 && rm -rf /root-of-image/usr/share \
 && ln -s python3.11 /root-of-image/usr/bin/python3

FROM gcr.io/distroless/cc-debian12:latest
COPY --from=packages /root-of-image /
ENTRYPOINT ["/usr/bin/python3"]
