import { createSSRApp, defineAsyncComponent, h } from "vue";
import Home from "./Home.vue";

const pages = {
  "/": Home,
  "/prices": defineAsyncComponent(() => import("./Prices.vue")),
};

export function createApp(path) {
  const page = pages[path];
  return { app: createSSRApp({ render: () => h(page ?? { render: () => "no such page" }) }), status: page ? 200 : 404 };
}
