FROM alpine:3.19
ENV VERSION=1.2.3
RUN set -x \
  && apk add --update --virtual build-deps build-base openssl-dev curl \
  && curl -fSL "https://example.com/src/tool-$VERSION.tar.gz" -o tool.tar.gz \
  && tar -xzf tool.tar.gz \
  && cd "tool-$VERSION" && ./configure && make && make install \
  && cd .. && rm -rf "tool-$VERSION" \
  && apk del build-deps
CMD ["tool"]
#> 3 apk-cache safe
#> 3 archive-left safe
#> 3 no-multi-stage hand
