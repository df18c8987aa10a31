const bcrypt = require("bcrypt");
module.exports = async () => ({ same: await bcrypt.compare("secret", await bcrypt.hash("secret", 4)) });
