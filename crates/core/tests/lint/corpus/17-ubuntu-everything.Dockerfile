FROM ubuntu:22.04
MAINTAINER someone@example.com
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get upgrade -y
RUN apt-get install -y \
    build-essential \
    cmake \
    git \
    wget \
    python3-pip \
    && apt-get clean
RUN wget https://example.com/boost_1_80_0.tar.gz
RUN tar xzf boost_1_80_0.tar.gz
RUN rm boost_1_80_0.tar.gz
COPY . /opt/app
WORKDIR /opt/app
RUN mkdir build && cd build && cmake .. && make -j4
RUN rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/opt/app/build/app"]
#@ .dockerignore = .git
#> 5 apt-recommends look
#> 5 build-tools hand
#> 12 archive-left hand
#> 18 deleted-later safe
