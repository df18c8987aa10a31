FROM node:22-slim
RUN npm ci --omit=dev
RUN npm install -g pm2
RUN yarn install --production --frozen-lockfile
#> 2 npm-cache safe
#> 3 npm-cache safe
#> 4 npm-cache look
