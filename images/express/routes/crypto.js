const crypto = require("crypto");
module.exports = () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signature = crypto.sign("sha256", Buffer.from("x"), privateKey);
  return {
    scrypt: crypto.scryptSync("pw", "salt", 16).toString("hex"),
    signed: crypto.verify("sha256", Buffer.from("x"), publicKey, signature),
    hashes: ["sha3-256", "ripemd160", "blake2b512"].map((name) => crypto.createHash(name).update("").digest("hex").slice(0, 8)),
    roots: require("tls").rootCertificates.length > 100,
  };
};
