import { renderToString } from "vue/server-renderer";
import { createApp } from "./main";

export async function render(url) {
  const path = new URL(url, "http://localhost").pathname;
  if (path === "/broken") throw new Error("broken on purpose");
  const { app, status } = createApp(path);
  return { html: await renderToString(app), status };
}
