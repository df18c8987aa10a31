FROM node:18

# Create app directory
WORKDIR /usr/src/app

COPY package*.json ./

RUN npm install
# If you are building your code for production
# RUN npm ci --omit=dev

COPY . .

EXPOSE 8080
CMD [ "node", "server.js" ]
#@ node_modules/express/index.js 700
#> 1 fat-base look
#> 8 dev-dependencies look
#> 8 npm-cache safe
#> 12 copy-all look
