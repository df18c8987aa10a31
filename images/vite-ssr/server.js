// Vite's own template for servers: in development Vite serves the sources, in
// production what it built.
import fs from "node:fs/promises";
import express from "express";

const production = process.env.NODE_ENV === "production";
const template = production ? await fs.readFile("./dist/client/index.html", "utf-8") : "";
const app = express();

let vite;
if (!production) {
  const { createServer } = await import("vite");
  vite = await createServer({ server: { middlewareMode: true }, appType: "custom" });
  app.use(vite.middlewares);
} else {
  const compression = (await import("compression")).default;
  const sirv = (await import("sirv")).default;
  app.use(compression({ threshold: 0 }));
  app.use(sirv("./dist/client", { extensions: [] }));
}

app.get("*", async (req, res) => {
  try {
    const { render } = await import("./dist/server/entry-server.js");
    const { html, status } = await render(req.originalUrl);
    res.status(status).type("html").send(template.replace("<!--app-->", () => html));
  } catch (error) {
    res.status(500).type("text").send(error.stack);
  }
});

const server = app.listen(process.env.PORT || 5173);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
