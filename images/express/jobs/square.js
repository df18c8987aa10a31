process.on("message", (n) => process.send(n * n, () => process.exit(0)));
