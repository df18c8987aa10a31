FROM python:3.12-slim
COPY . /app
#@ .git/objects/pack 5000
#@ web/node_modules/a/index.js 300
#> 2 copy-all look
