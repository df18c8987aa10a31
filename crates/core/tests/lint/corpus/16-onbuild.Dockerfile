FROM node:20-slim
ONBUILD WORKDIR /app
ONBUILD COPY package.json ./
ONBUILD RUN npm install
ONBUILD COPY . .
CMD ["npm", "start"]
