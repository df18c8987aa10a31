"use strict";
// A guest book with reports. Much of it is loaded on the request that needs it.
const cluster = require("cluster");
const path = require("path");
const express = require("express");
const morgan = require("morgan");

const app = express();
app.set("view engine", "ejs");
app.set("views", path.join(__dirname, "views"));
app.use(morgan("tiny"));
app.use(express.json());
app.use("/static", express.static(path.join(__dirname, "public")));

const messages = [];

app.get("/", (req, res) => res.render("index", { messages }));
app.get("/about", (req, res) => res.render("about.pug", { version: process.version }));
app.post("/messages", (req, res) => {
  messages.push({ text: String(req.body.text) });
  res.status(201).json({ count: messages.length });
});
// Each report is a module of its own, loaded when it is asked for.
app.get("/report/:name", async (req, res, next) => {
  try {
    const report = require(`./routes/${path.basename(req.params.name)}`);
    res.json(await report(req.query));
  } catch (error) {
    next(error);
  }
});
app.get("/broken", () => {
  throw new TypeError("broken on purpose");
});

if (process.env.WORKERS && cluster.isPrimary) {
  for (let i = 0; i < Number(process.env.WORKERS); i++) cluster.fork();
} else {
  const server = app.listen(Number(process.env.PORT || 3000));
  process.on("SIGTERM", () => server.close(() => process.exit(0)));
}
