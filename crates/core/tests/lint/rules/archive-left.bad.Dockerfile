FROM debian:bookworm-slim
COPY app.tar.gz /tmp/
RUN tar -xzf /tmp/app.tar.gz -C /opt && rm /tmp/app.tar.gz
ADD https://example.com/jre.tar.gz /opt/
RUN cd /opt && tar xzf jre.tar.gz
RUN wget -q https://example.com/tool.zip && unzip tool.zip
#@ app.tar.gz 9000
#> 2 archive-left hand
#> 4 archive-left hand
#> 6 archive-left safe
