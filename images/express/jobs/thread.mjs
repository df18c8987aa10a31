import { parentPort, workerData } from "node:worker_threads";
import { sum } from "./sum.mjs";

parentPort.postMessage({ doubled: sum(workerData, workerData) });
