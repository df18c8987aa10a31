FROM node:22-slim AS build
RUN npm ci && npm run build
FROM node:22-slim
ENV NODE_ENV=production
RUN --mount=type=cache,target=/root/.npm npm ci
RUN --mount=type=cache,target=/root/.cache poetry install --only main
RUN pip install --no-cache-dir -r requirements.txt
