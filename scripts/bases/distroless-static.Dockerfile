# tag: gcr.io/distroless/static-debian12:latest
# The packages of distroless's static, as Debian has them.
FROM debian:bookworm-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get download base-files netbase tzdata \
 && for package in *.deb; do dpkg -x "$package" /root-of-image; done
WORKDIR /root-of-image
RUN rm -rf usr/share/doc usr/share/man usr/share/lintian usr/share/common-licenses \
 && mkdir -p etc/ssl/certs home/nonroot \
 && cp /usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt etc/ssl/certs/ca-certificates.crt \
 && chmod 1777 tmp && chown 65532:65532 home/nonroot \
 && printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' >etc/group

FROM scratch
COPY --from=packages /root-of-image /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
