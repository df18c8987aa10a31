FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libpq5
COPY data.bin /tmp/data.bin
RUN curl -fsSL -o /tmp/setup.sh https://example.com/setup.sh && sh /tmp/setup.sh
RUN pip install flask
RUN rm -rf /var/lib/apt/lists/* /tmp/* ~/.cache/pip
RUN apt-get purge -y gcc
#@ data.bin 5000
#> 6 deleted-later safe
#> 6 deleted-later hand
#> 6 deleted-later hand
#> 6 deleted-later safe
#> 7 deleted-later hand
