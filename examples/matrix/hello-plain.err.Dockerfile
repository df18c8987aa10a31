FROM alpine:3.17
COPY plain.sh /
ENTRYPOINT ["/plain.sh"]
