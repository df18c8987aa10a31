FROM alpine:3.17
COPY windows.sh /
ENTRYPOINT ["/windows.sh"]
