ARG REGISTRY=docker.io
ARG BASE=${REGISTRY}/library/python
ARG TAG
FROM --platform=$BUILDPLATFORM ${BASE}:3.12${TAG:+-$TAG} AS base
FROM base AS tools
RUN apt-get update && apt-get install -y gcc
FROM base
ARG TAG
COPY --from=tools /usr/local /usr/local
RUN echo "$TAG"
#> 4 fat-base look
