FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends tini
RUN set -eux; \
    apt update; \
    # a comment between
    apt install -y --no-install-recommends \
        libpq5 \
        nginx
RUN <<SH
apt-get update
apt-get install --no-install-recommends -y jq
SH
RUN apt-get update
RUN apt-get install -y --no-install-recommends less
RUN ["sh", "-c", "apt-get update && apt-get install -y --no-install-recommends file"]
#> 2 apt-lists safe
#> 3 apt-lists safe
#> 9 apt-lists safe
#> 13 apt-lists safe
#> 15 apt-lists hand
