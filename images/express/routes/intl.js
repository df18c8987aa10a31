// What Intl says in several languages and time zones.
module.exports = () => {
  const date = new Date(Date.UTC(2026, 0, 15, 12));
  const long = (locale, timeZone) =>
    new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short", timeZone }).format(date);
  return {
    german: long("de-DE", "Europe/Berlin"),
    japanese: long("ja-JP-u-ca-japanese", "Asia/Tokyo"),
    arabic: new Intl.NumberFormat("ar-EG").format(1234.5),
    rupees: new Intl.NumberFormat("hi-IN", { style: "currency", currency: "INR" }).format(1234567),
    sorted: ["z", "ä", "a"].sort(new Intl.Collator("sv").compare),
    plural: new Intl.PluralRules("pl").select(22),
    ago: new Intl.RelativeTimeFormat("fr", { numeric: "auto" }).format(-1, "day"),
    region: new Intl.DisplayNames("es", { type: "region" }).of("DE"),
    words: [...new Intl.Segmenter("th", { granularity: "word" }).segment("สวัสดีชาวโลก")].length,
    list: new Intl.ListFormat("ko").format(["가", "나"]),
    local: new Date(2026, 0, 15).toString(),
  };
};
