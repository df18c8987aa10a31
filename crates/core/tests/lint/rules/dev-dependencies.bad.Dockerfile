FROM node:22-slim
RUN --mount=type=cache,target=/root/.npm npm ci
RUN --mount=type=cache,target=/root/.cache poetry install --no-root
RUN pip install --no-cache-dir -r requirements-dev.txt
RUN pip install --no-cache-dir -e '.[test]'
#> 2 dev-dependencies look
#> 3 dev-dependencies look
#> 4 dev-dependencies hand
#> 5 dev-dependencies hand
