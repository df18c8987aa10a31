FROM golang:1.23
WORKDIR /src
COPY main.go .
RUN CGO_ENABLED=0 go build -o /app .
CMD ["/app"]
#> 4 no-multi-stage hand
