import { renderToString } from "vue/server-renderer";
import { createApp } from "./main";

export async function render(url) {
  const { app, status } = createApp(new URL(url, "http://localhost").pathname);
  return { html: await renderToString(app), status };
}
