FROM alpine:3.20
RUN apk add --no-cache curl
RUN apk --no-cache add jq
RUN apk add --update tini && rm -rf /var/cache/apk/*
RUN --mount=type=cache,target=/var/cache/apk apk add git
