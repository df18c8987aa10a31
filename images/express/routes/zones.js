const moment = require("moment-timezone");
require("moment/locale/ru");
module.exports = () => ({
  kathmandu: moment.utc("2026-01-15T12:00:00Z").tz("Asia/Kathmandu").format(),
  russian: moment.utc("2026-01-15").locale("ru").format("LLLL"),
});
