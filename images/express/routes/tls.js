// A TLS server with an authority of its own, and a client that trusts only that.
const fs = require("fs");
const https = require("https");
const path = require("path");
const file = (name) => fs.readFileSync(path.join(__dirname, "..", "tls", name));
module.exports = () =>
  new Promise((done, fail) => {
    const server = https.createServer({ key: file("key.pem"), cert: file("cert.pem") }, (req, res) => res.end("hello"));
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      const end = (value) => server.close(() => done(value));
      const ask = (options) =>
        new Promise((ok) =>
          https
            .get({ host: "localhost", port, ...options }, (res) => {
              let text = "";
              res.on("data", (chunk) => (text += chunk)).on("end", () => ok({ text, cipher: res.socket.getCipher().name }));
            })
            .on("error", (error) => ok({ error: error.code }))
        );
      Promise.all([ask({ ca: file("cert.pem") }), ask({ ca: file("cert.pem"), maxVersion: "TLSv1.2" }), ask({})])
        .then(([trusted, older, untrusted]) => end({ trusted: trusted.text, older: older.text, untrusted: untrusted.error }))
        .catch(fail);
    });
  });
