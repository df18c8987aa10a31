FROM node:22-slim
RUN npm ci --omit=dev && npm cache clean --force
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev
RUN npm ci --omit=dev && rm -rf /root/.npm
RUN npm run start
RUN yarn --version
