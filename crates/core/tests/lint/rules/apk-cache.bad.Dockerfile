FROM alpine:3.20
RUN apk add curl
RUN apk update && apk add --no-cache jq
RUN apk add --update tini
#> 2 apk-cache safe
#> 3 apk-cache safe
#> 4 apk-cache safe
