const dns = require("dns").promises;
module.exports = async ({ name = "localhost" }) => dns.lookup(name);
