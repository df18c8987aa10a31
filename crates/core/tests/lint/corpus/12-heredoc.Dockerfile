# syntax=docker/dockerfile:1
FROM debian:bookworm-slim
RUN <<EOT bash -eux
  apt-get update
  apt-get install -y --no-install-recommends \
    curl ca-certificates
  curl -fsSL https://example.com/install.sh | bash
EOT
COPY <<EOT /etc/app.conf
FROM nothing
RUN pip install x
EOT
RUN python3 <<EOT
print("apt-get update")
EOT
RUN cat <<EOT > /etc/motd && chmod 644 /etc/motd
RUN npm install
EOT
CMD ["app"]
#> 3 apt-lists safe
