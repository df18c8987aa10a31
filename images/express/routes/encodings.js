const iconv = require("iconv-lite");
module.exports = () => ({
  japanese: iconv.encode("日本", "Shift_JIS").toString("hex"),
  chinese: iconv.decode(Buffer.from("d6d0", "hex"), "gbk"),
  cyrillic: iconv.encode("Привет", "koi8-r").toString("hex"),
  decoder: new TextDecoder("euc-kr").decode(Buffer.from("c7d1", "hex")),
});
