// Modules of both systems, by computed and by literal names.
module.exports = async ({ name = "ejs" }) => {
  const fetched = await fetch("data:text/plain,fetched").then((res) => res.text());
  const view = await import(name);
  const { sum } = await import("../jobs/sum.mjs");
  return { fetched, keys: Object.keys(view).includes("render"), sum: sum(2, 3) };
};
