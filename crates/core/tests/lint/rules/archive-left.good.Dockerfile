FROM debian:bookworm-slim
ADD app.tar.gz /opt/
RUN curl -fsSL https://example.com/tool.tgz | tar -xz -C /opt
RUN curl -fsSLO https://example.com/x.tar.gz && tar xf x.tar.gz && rm x.tar.gz
COPY backup.tar.gz /srv/
