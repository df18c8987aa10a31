# tag: alpine:3.17
# BusyBox and musl as Debian packages them, where Alpine has them.
FROM debian:bookworm-slim AS packages
WORKDIR /packages
RUN apt-get update && apt-get download busybox-static musl \
 && for package in *.deb; do dpkg -x "$package" /unpacked; done
WORKDIR /root-of-image
RUN mkdir -p bin dev etc home lib proc root run sbin sys tmp usr/bin usr/sbin var/tmp \
 && chmod 1777 tmp var/tmp && chmod 700 root \
 && cp /unpacked/bin/busybox bin/ \
 && for name in $(bin/busybox --list); do [ "$name" = busybox ] || ln -s /bin/busybox "bin/$name"; done \
 && ln -s /bin/busybox usr/bin/env \
 && cp /unpacked/lib/x86_64-linux-musl/libc.so lib/ld-musl-x86_64.so.1 \
 && ln -s ld-musl-x86_64.so.1 lib/libc.musl-x86_64.so.1 \
 && printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n' >etc/passwd \
 && printf 'root:x:0:\nnobody:x:65534:\n' >etc/group \
 && printf 'NAME="BusyBox and musl of Debian"\nID=alpine-like\n' >etc/os-release

FROM scratch
COPY --from=packages /root-of-image /
CMD ["/bin/sh"]
