# tag: golang:1.19
FROM gcc:12
RUN apt-get update \
 && apt-get install -y --no-install-recommends golang-1.19-go \
 && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/go-1.19/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOFLAGS=-trimpath GOPATH=/go
