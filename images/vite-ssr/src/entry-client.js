import { createApp } from "./main";

createApp(location.pathname).app.mount("#app");
