FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*
RUN apt-get update && sudo apt -y install git libgdal32 ca-certificates && rm -rf /var/lib/apt/lists/*
#> 2 apt-recommends look
#> 3 apt-recommends look
