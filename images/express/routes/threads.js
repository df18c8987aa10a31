const { Worker } = require("worker_threads");
const path = require("path");
module.exports = () =>
  new Promise((done, fail) => {
    const worker = new Worker(path.join(__dirname, "..", "jobs", "thread.mjs"), { workerData: 21 });
    worker.on("message", done).on("error", fail);
  });
