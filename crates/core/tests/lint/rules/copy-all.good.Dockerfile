FROM python:3.12-slim AS build
COPY . /src
FROM python:3.12-slim
COPY . /app
COPY --from=build . /srv
#@ .git/objects/pack 5000
#@ .dockerignore = .git
