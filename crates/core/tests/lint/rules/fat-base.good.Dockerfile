FROM node:22 AS build
RUN npm run build
FROM node:22-bookworm-slim AS base
FROM base
CMD ["node"]
