"use strict";
// Draws the page from the data in it. Names come from images that nobody
// vouches for: they reach the page as text and never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

// Decimal units, as engines print them.
function size(n) {
  if (n === null) return "–";
  if (n < 1e3) return `${Math.round(n)} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} kB`;
  if (n < 1e9) return `${(n / 1e6).toFixed(1)} MB`;
  return `${(n / 1e9).toFixed(2)} GB`;
}
const count = (n) => n.toLocaleString("en").replaceAll(",", " ");
const files = (n) => `${count(n)} ${n === 1 ? "file" : "files"}`;
const percent = (part, whole) => {
  if (!whole) return "";
  const share = (100 * part) / whole;
  return share > 0 && share < 1 ? "<1 %" : `${Math.round(share)} %`;
};

// ---- The tree -------------------------------------------------------------

// A folder is [name, children]; a file [name, bytes, wire, before, type,
// layer, package, cause, wasted, by, kept, why, from, link], cut after its
// last value that is not null.
function grow(raw, parent) {
  const node = { name: raw[0], parent, bytes: 0, wire: 0, before: 0, wasted: 0, files: 0, hit: 0, hits: 0 };
  if (Array.isArray(raw[1])) {
    node.children = raw[1].map((child) => grow(child, node));
    for (const child of node.children) {
      node.bytes += child.bytes;
      node.wire = node.wire === null || child.wire === null ? null : node.wire + child.wire;
      node.before += child.before;
      node.wasted += child.wasted;
      node.files += child.files;
    }
    return node;
  }
  const at = (i) => raw[i] ?? null;
  const text = (i) => (at(i) === null ? null : data.strings[raw[i]]);
  return Object.assign(node, {
    bytes: raw[1], wire: at(2), before: at(3) ?? 0, type: at(4), layer: at(5), package: text(6),
    cause: at(7), wasted: at(8) ?? 0, by: at(9), kept: at(10), why: text(11), from: text(12), link: text(13),
    files: at(4) === null || at(5) === null || at(13) !== null ? 0 : 1,
  });
}

function path(node) {
  const names = [];
  for (let here = node; here.parent; here = here.parent) names.unshift(here.name);
  return "/" + names.join("/");
}

const root = grow(data.tree, null);
const shrunk = data.before !== null;
const measured = root.wire !== null;

function* leaves(node) {
  if (!node.children) yield node;
  else for (const child of node.children) yield* leaves(child);
}

function find(wanted) {
  let here = root;
  for (const name of wanted.split("/").filter(Boolean)) {
    const next = here.children?.find((child) => child.name === name);
    if (!next) break;
    here = next;
  }
  return here;
}

// Folders that only hold one folder are walked through at once.
function deepest(node) {
  while (node.children?.length === 1 && node.children[0].children) node = node.children[0];
  return node;
}

// ---- What is shown --------------------------------------------------------

const state = {
  at: root, chosen: null, query: "", mark: null, area: "bytes",
  colour: "type", scale: true, order: "size", all: new Set(),
};
const value = (node) => (state.area === "wire" ? node.wire ?? 0 : node.bytes);
const whole = (node) => (shrunk && state.area === "bytes" ? Math.max(node.bytes, node.before) : value(node));

function matches(file) {
  if (state.mark && !state.mark.test(file)) return false;
  if (!state.query) return true;
  return path(file).toLowerCase().includes(state.query) || (file.package ?? "").toLowerCase().includes(state.query);
}

const filtering = () => state.mark !== null || state.query !== "";

// Bytes and number of the files that match, below every node.
function count_hits(node) {
  if (!node.children) {
    node.hits = matches(node) ? 1 : 0;
    node.hit = node.hits * whole(node);
    return;
  }
  node.hit = node.hits = 0;
  for (const child of node.children) {
    count_hits(child);
    node.hit += child.hit;
    node.hits += child.hits;
  }
}

// ---- Colours --------------------------------------------------------------

const TYPE_HUES = {
  programs: 265, libraries: 235, "static libraries": 205, Python: 95, bytecode: 70, JavaScript: 50, scripts: 130,
  documentation: 335, locales: 355, headers: 300, archives: 25, media: 170,
};
const kind_of = new Map(data.packages.map((line) => [line.name, line.kind ?? "none"]));
const ORIGINS = [["dpkg", "Debian packages", 255], ["apk", "Alpine packages", 225], ["python", "Python packages", 90],
  ["node", "Node packages", 145], ["none", "no package", null]];

const COLOURS = {
  type: {
    name: "type",
    keys: data.types.filter((type) => type.name !== "other").map(({ name }) => [name, name, TYPE_HUES[name] ?? null]),
    of: (file) => data.type_names[file.type] ?? null,
  },
  origin: {
    name: "who put it there",
    keys: ORIGINS.filter(([id]) => data.packages.some((line) => (line.kind ?? "none") === id)),
    of: (file) => kind_of.get(file.package) ?? "none",
  },
  layer: {
    name: "layer",
    keys: data.layers.map((layer, i) => [i, `layer ${i + 1}`, (255 + i * 137.5) % 360]),
    of: (file) => file.layer,
  },
  waste: {
    name: "wasted bytes",
    keys: data.wasted.map((line, i) => [line.cause, line.name, [25, 85, 330, 285, 55, 210, 150, 250][i % 8]]),
    of: (file) => (file.cause === null ? null : data.causes[file.cause]),
  },
};

const hues = {};
for (const [id, colour] of Object.entries(COLOURS)) hues[id] = new Map(colour.keys.map((key) => [key[0], key[2]]));

const dropped = (file) => file.kept === 0;

// A file's colour, or that of most bytes below a folder.
function paint(node) {
  if (!node.children) {
    if (dropped(node)) return "gone";
    return hues[state.colour].get(COLOURS[state.colour].of(node)) ?? null;
  }
  const sums = new Map();
  for (const file of leaves(node)) {
    const colour = paint(file);
    sums.set(colour, (sums.get(colour) ?? 0) + whole(file));
  }
  let best = null;
  let most = -1;
  for (const [colour, sum] of sums) if (sum > most) [best, most] = [colour, sum];
  return best;
}

// The cause that wastes most below a node.
function blame(node) {
  const sums = new Map();
  for (const file of leaves(node)) {
    if (file.wasted && !dropped(file)) sums.set(file.cause, (sums.get(file.cause) ?? 0) + file.wasted);
  }
  const [worst] = [...sums].sort((a, b) => b[1] - a[1]);
  return worst ? hues.waste.get(data.causes[worst[0]]) : null;
}

function dress(tile, node) {
  const wasting = state.colour === "waste";
  const colour = paint(node) === "gone" || !wasting ? paint(node) : blame(node);
  if (colour === "gone") tile.classList.add("gone");
  else if (colour !== null) {
    tile.classList.add("hue");
    tile.style.setProperty("--h", colour);
    // As much of the tile as is wasted.
    const part = node.wasted / node.bytes;
    if (wasting && part < 0.99) {
      tile.classList.add("part");
      tile.style.setProperty("--part", `${100 * part}%`);
    }
  }
}

// ---- The map --------------------------------------------------------------

// Squarified treemap (Bruls, Huizing, van Wijk 2000): rows of tiles along the
// shorter side, as square as they go.
function squarify(nodes, amount, x, y, w, h, place) {
  const total = nodes.reduce((sum, node) => sum + amount(node), 0);
  if (!total || w < 1 || h < 1) return;
  const scale = (w * h) / total;
  let i = 0;
  while (i < nodes.length) {
    const side = Math.min(w, h);
    let end = i;
    let area = 0;
    let worst = Infinity;
    while (end < nodes.length) {
      const next = area + amount(nodes[end]) * scale;
      const largest = amount(nodes[i]) * scale;
      const smallest = amount(nodes[end]) * scale;
      const ratio = Math.max((side * side * largest) / (next * next), (next * next) / (side * side * smallest));
      if (ratio > worst) break;
      [worst, area] = [ratio, next];
      end++;
    }
    const depth = area / side;
    let along = 0;
    for (; i < end; i++) {
      const length = (amount(nodes[i]) * scale) / depth;
      if (w >= h) place(nodes[i], x, y + along, depth, length);
      else place(nodes[i], x + along, y, length, depth);
      along += length;
    }
    if (w >= h) [x, w] = [x + depth, w - depth];
    else [y, h] = [y + depth, h - depth];
  }
}

const HEADER = 19;
const SMALLEST = 18; // Square pixels of a tile that is drawn.

function draw_map(field, top, amount) {
  const width = field.clientWidth;
  const height = field.clientHeight;
  const tiles = [];
  // In parts of the field, so that the map stretches with the window.
  const across = (n) => `${(100 * n) / width}%`;
  const down = (n) => `${(100 * n) / height}%`;
  const inside = (folder, x, y, w, h, depth) => {
    const nodes = folder.children.filter((child) => amount(child) > 0).sort((a, b) => amount(b) - amount(a));
    squarify(nodes, amount, x, y, w, h, (node, x, y, w, h) => {
      if (w * h >= SMALLEST && w > 2 && h > 2) put(node, x, y, w, h, depth);
    });
  };
  const put = (node, x, y, w, h, depth) => {
    const shown = deepest(node);
    const open = shown.children && w > 54 && h > 44;
    const tile = el("button", { class: "tile", type: "button", tabindex: -1, "aria-label": label(shown, amount, top) });
    Object.assign(tile.style, { left: across(x), top: down(y), width: `calc(${across(w)} - 1px)`, height: `calc(${down(h)} - 1px)` });
    tile.node = shown;
    tile.box = { x: x + w / 2, y: y + Math.min(h, open ? HEADER : h) / 2 };
    if (filtering() && !shown.hits) tile.classList.add("faded");
    if (shown === state.chosen) tile.classList.add("chosen");
    if (open) {
      tile.classList.add("folder");
      tile.style.setProperty("--depth", Math.min(depth, 6));
    } else dress(tile, shown);
    if (open || (w > 34 && h > 18)) {
      const name = node === shown ? shown.name : path(shown).slice(path(node.parent).length).replace(/^\//, "");
      const lines = open ? 1 : Math.floor((h - 20) / 15);
      const words = el("span", { class: lines > 1 ? "lines" : undefined }, name);
      words.style.setProperty("--lines", lines);
      tile.append(words);
      if (!open && h > 36 && w > 58) tile.append(el("em", {}, size(amount(shown))));
    }
    tiles.push(tile);
    if (open) inside(shown, x + 3, y + HEADER, w - 7, h - HEADER - 4, depth + 1);
  };
  if (top.children) inside(top, 0, 0, width, height, 0);
  else put(top, 0, 0, width, height, 0);
  field.replaceChildren(...(tiles.length ? tiles : [el("div", { class: "empty" }, "nothing of this folder")]));
  if (tiles.length) tiles[0].tabIndex = 0;
}

function label(node, amount, top) {
  const parts = [path(node), node.children ? "folder" : "file", size(amount(node)), `${percent(amount(node), amount(top))} of this folder`];
  if (dropped(node)) parts.push("dropped");
  return parts.join(", ");
}

function draw_maps() {
  const both = shrunk && state.area === "bytes";
  const maps = [];
  const figure = (title, total, amount, scale) => {
    const field = el("div", { class: "field", role: "group", "aria-label": `Treemap ${title}, ${size(total)}` });
    const caption = title ? el("figcaption", {}, el("b", {}, title), el("span", {}, size(total))) : undefined;
    maps.push({ figure: el("figure", { class: "map" }, caption, field), field, amount, scale });
  };
  const at = state.at;
  if (both) {
    const scale = state.scale && at.before > at.bytes ? Math.sqrt(at.bytes / at.before) : 1;
    figure("before", at.before, (node) => node.before, 1);
    figure("after", at.bytes, (node) => node.bytes, scale);
  } else {
    figure("", value(at), value, 1);
  }
  $("maps").className = both ? "two" : "";
  $("maps").replaceChildren(...maps.map((map) => map.figure));
  for (const { field, amount, scale } of maps) {
    let inner = field;
    if (scale < 1) {
      field.classList.add("scaled");
      inner = el("div", { class: "inner" });
      Object.assign(inner.style, { position: "absolute", left: 0, top: 0, width: `${100 * scale}%`, height: `${100 * scale}%`, background: "var(--paper)" });
      field.append(inner, el("div", { class: "saved" }, `−${percent(at.before - at.bytes, at.before)}`));
    }
    draw_map(inner, at, amount);
  }
}

// From one tile to the next in the direction of an arrow.
function neighbour(tile, key) {
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  let best = null;
  let nearest = Infinity;
  for (const other of tile.parentElement.children) {
    if (!other.box || other === tile) continue;
    const x = other.box.x - tile.box.x;
    const y = other.box.y - tile.box.y;
    const ahead = x * dx + y * dy;
    if (ahead <= 1) continue;
    const distance = ahead + 2.5 * Math.abs(x * dy + y * dx);
    if (distance < nearest) [best, nearest] = [other, distance];
  }
  return best;
}

function listen_to_map() {
  const maps = $("maps");
  const tile_of = (event) => event.target.closest(".tile");
  maps.addEventListener("click", (event) => {
    const tile = tile_of(event);
    if (tile) open(tile.node, tile.node.children ? "map" : null);
  });
  maps.addEventListener("pointerover", (event) => {
    const tile = tile_of(event);
    if (tile) describe(tile.node);
  });
  maps.addEventListener("pointerleave", () => describe(state.chosen ?? state.at));
  maps.addEventListener("focusin", (event) => {
    const tile = tile_of(event);
    if (!tile) return;
    for (const other of tile.parentElement.children) other.tabIndex = other === tile ? 0 : -1;
    describe(tile.node);
  });
  maps.addEventListener("keydown", (event) => {
    const tile = tile_of(event);
    if (!tile) return;
    if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      neighbour(tile, event.key)?.focus();
    } else if (event.key === "Backspace") {
      event.preventDefault();
      up("map");
    }
  });
}

// ---- Words about one node -------------------------------------------------

function describe(node) {
  const about = $("about");
  const line = el("span", {});
  const facts = [];
  if (shrunk && node.before) facts.push(`${size(node.before)} before`);
  if (node.bytes || !shrunk) facts.push(shrunk ? `${size(node.bytes)} now` : size(node.bytes));
  if (measured && node.bytes) facts.push(`${size(node.wire)} on the wire`);
  if (node.children) {
    facts.push(files(node.files));
    if (node.wasted) facts.push(`${size(node.wasted)} wasted`);
  } else {
    if (node.link !== null) facts.push(`link to ${node.link}`);
    if (node.package) facts.push(node.package);
    if (node.layer !== null) facts.push(`layer ${node.layer + 1}`);
  }
  line.append(facts.join(" · "));
  const rest = [];
  if (!node.children && node.cause !== null) {
    const cause = data.wasted.find((line) => line.cause === data.causes[node.cause]);
    const by = node.by === null ? "" : ` (by layer ${node.by + 1})`;
    rest.push(el("span", { class: "waste" }, ` · ${size(node.wasted)} wasted: ${cause.name}${by}`));
  }
  if (!node.children && node.why !== null) {
    const from = node.from === null ? "" : `, by ${node.from}`;
    rest.push(el("br"), el("strong", {}, dropped(node) ? "dropped: " : "kept: "), `${node.why}${from}`);
  }
  about.replaceChildren(el("b", {}, path(node)), line, ...rest);
}

// ---- Walking --------------------------------------------------------------

function go(node, focus) {
  state.at = node;
  state.chosen = null;
  const wanted = "#" + encodeURI(path(node));
  if (decodeURI(location.hash || "#/") !== decodeURI(wanted)) history.pushState(null, "", wanted);
  draw();
  if (focus === "map") $("maps").querySelector(".tile")?.focus();
  if (focus === "list") $("list").querySelector("tbody button")?.focus();
}

function open(node, focus) {
  if (node.children) return go(deepest(node), focus);
  state.chosen = node;
  if (filtering() && focus === "list" && node.parent !== state.at) state.at = node.parent;
  draw_maps();
  draw_crumbs();
  describe(node);
}

// Out of chains of folders at once, as they are entered.
function up(focus) {
  let here = state.at.parent;
  while (here?.parent && here.children.length === 1) here = here.parent;
  if (here) go(here, focus);
}

function draw_crumbs() {
  const parts = [];
  for (let here = state.at; here; here = here.parent) parts.unshift(here);
  const crumbs = parts.flatMap((node, i) => {
    const last = i === parts.length - 1;
    const button = el("button", { type: "button", "aria-current": last ? "location" : undefined, onclick: () => go(node) }, node.name || "/");
    return i > 1 ? [el("i", { "aria-hidden": "true" }, "/"), button] : [button];
  });
  $("crumbs").replaceChildren(...crumbs);
}

// ---- The list -------------------------------------------------------------

const ORDERS = {
  name: (a, b) => (a.name < b.name ? -1 : 1),
  size: (a, b) => b.bytes - a.bytes || b.before - a.before || ORDERS.name(a, b),
  before: (a, b) => b.before - a.before || ORDERS.size(a, b),
  wire: (a, b) => (b.wire ?? 0) - (a.wire ?? 0) || ORDERS.size(a, b),
};
const SHOWN = 250;

function draw_list() {
  const found = filtering();
  let nodes = state.at.children ?? [state.at];
  if (found) nodes = [...leaves(state.at)].filter((file) => file.hits);
  nodes = [...nodes].sort(ORDERS[state.order]);
  const columns = [["name", found ? "path" : "name"], ...(shrunk ? [["before", "before"]] : []), ["size", shrunk ? "now" : "size"], ...(measured ? [["wire", "wire"]] : [])];
  const head = el("tr", {}, ...columns.map(([order, name]) => {
    const sorted = state.order === order;
    return el("th", { scope: "col", "aria-sort": sorted ? (order === "name" ? "ascending" : "descending") : undefined },
      el("button", { type: "button", onclick: () => { state.order = order; draw_list(); } }, name + (sorted ? (order === "name" ? " ↑" : " ↓") : "")));
  }));
  const most = Math.max(1, ...nodes.slice(0, SHOWN).map(whole));
  const rows = nodes.slice(0, SHOWN).map((node) => {
    const name = found ? path(node) : node.name + (node.children ? "/" : "");
    const bar = el("i", {});
    bar.style.width = `${(100 * whole(node)) / most}%`;
    const note = node.link !== null && node.link !== undefined ? `→ ${node.link}` : hidden_note(node);
    const first = el("td", {}, el("button", { type: "button", onclick: () => open(node, "list") }, name),
      note && el("small", {}, note), el("span", { class: "share", "aria-hidden": "true" }, bar));
    const cells = columns.slice(1).map(([order]) => {
      const amount = { before: node.before, wire: node.wire, size: node.bytes }[order];
      return el("td", { class: amount ? undefined : "zero" }, size(amount));
    });
    return el("tr", { class: dropped(node) ? "gone" : undefined }, first, ...cells);
  });
  $("list").replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows));
  $("list-title").textContent = found ? `${files(state.at.hits)} · ${size(state.at.hit)} found in ${path(state.at)}` : `In ${path(state.at)}`;
  const left = nodes.length - SHOWN;
  $("list-rest").textContent = left > 0 ? `and ${count(left)} more` : found && !nodes.length ? "Nothing here matches." : "";
}

function hidden_note(node) {
  if (node.children || node.by === null || node.by === undefined) return null;
  return `layer ${node.layer + 1}, hidden by layer ${node.by + 1}`;
}

// ---- Sums -----------------------------------------------------------------

function mark(name, test) {
  state.mark = { name, test };
  filter();
  $("explorer").scrollIntoView({ block: "start" });
}

function card(id, title, note, columns, lines, row) {
  const FIRST = 10;
  const box = el("article", { class: "card" }, el("h2", {}, title), note && el("p", {}, note));
  const shown = state.all.has(id) ? lines : lines.slice(0, FIRST);
  const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)));
  box.append(el("table", {}, el("thead", {}, head), el("tbody", {}, ...shown.map(row))));
  if (shown.length < lines.length) {
    box.append(el("button", { class: "all", type: "button", onclick: () => { state.all.add(id); draw_cards(); } }, `all ${count(lines.length)}`));
  }
  return box;
}

function named(name, note, part, most, click) {
  const bar = el("i", {});
  bar.style.width = `${(100 * part) / Math.max(1, most)}%`;
  return el("td", {}, el("button", { type: "button", onclick: click }, name), note && el("small", {}, note),
    el("span", { class: "share", "aria-hidden": "true" }, bar));
}

function draw_cards() {
  const wire = (line) => (measured ? [el("td", {}, size(line.wire))] : []);
  const head = (...names) => [...names, ...(measured ? ["wire"] : [])];
  const before = (line) => (shrunk ? [el("td", {}, size(line.before ?? 0))] : []);
  const most = (lines, key = "bytes") => Math.max(1, ...lines.map((line) => line[key] ?? 0));
  const cards = [];
  const packages = shrunk ? [...data.packages].sort((a, b) => (b.before ?? 0) - (a.before ?? 0)) : data.packages;
  const key = shrunk ? "before" : "bytes";
  cards.push(card("packages", "Packages", null, head("", ...(shrunk ? ["before", "now"] : ["size"])), packages, (line) =>
    el("tr", { class: shrunk && !line.bytes ? "gone" : undefined },
      named(line.name, [line.kind, line.version].filter(Boolean).join(" ") || "the user's, and what tools made", line[key] ?? 0, most(packages, key),
        () => mark(line.kind ? `package ${line.name}` : line.name, (file) => (file.package ?? "no package") === line.name && !(file.layer !== null && file.by !== null))),
      ...before(line), el("td", {}, size(line.bytes)), ...wire(line))));
  if (data.wasted.length) {
    cards.push(card("wasted", `Wasted: ${size(data.totals.wasted)}`, shrunk ? null : "whit shrink takes all of this away where nothing needs it.", head("", "size"), data.wasted, (line) =>
      el("tr", {}, named(line.name, `${files(line.files)}. ${line.mend}`, line.bytes, most(data.wasted),
        () => mark(line.name, (file) => file.cause !== null && data.causes[file.cause] === line.cause)), el("td", {}, size(line.bytes)), ...wire(line))));
  }
  cards.push(card("layers", "Layers", null, head("", "size"), data.layers, (line, i) =>
    el("tr", {}, named(`layer ${i + 1}`, [line.created_by || line.digest.slice(0, 19), line.hidden ? `${size(line.hidden)} hidden by later layers` : ""].filter(Boolean).join(" · "),
      line.bytes, most(data.layers), () => mark(`layer ${i + 1}`, (file) => file.layer === i)), el("td", {}, size(line.bytes)), el("td", { hidden: !measured }, size(line.wire)))));
  cards.push(card("types", "Types", null, head("", "size"), data.types, (line) =>
    el("tr", {}, named(line.name, files(line.files), line.bytes, most(data.types), () => mark(line.name, (file) => data.type_names[file.type] === line.name && file.layer !== null)),
      el("td", {}, size(line.bytes)), ...wire(line))));
  $("cards").replaceChildren(...cards);
}

// ---- Header and controls --------------------------------------------------

function fact(value, words, class_name, was) {
  return el("div", { class: "fact" }, el("b", {}, was && el("s", {}, `${was} → `), el("span", { class: class_name }, value)), el("span", {}, words));
}

function draw_header() {
  const { totals, before } = data;
  const about = (estimated) => (estimated ? "~" : "");
  $("image").textContent = data.image;
  const less = (was, now) => (was > now ? `, ${percent(was - now, was)} less` : "");
  const facts = [];
  facts.push(fact(size(totals.bytes), `unpacked${before ? less(before.bytes, totals.bytes) : ""}`, before && "less", before && size(before.bytes)));
  const wire = totals.wire_estimated ? "on the wire, estimated" : "on the wire";
  facts.push(fact(about(totals.wire_estimated) + size(totals.wire), wire + (before ? less(before.wire, totals.wire) : ""), before && "less", before && about(before.wire_estimated) + size(before.wire)));
  facts.push(fact(size(totals.wasted), `wasted, ${percent(totals.wasted, totals.bytes) || "0 %"}`, totals.wasted ? "waste" : undefined));
  facts.push(fact(count(totals.files), totals.files === 1 ? "file" : "files"));
  facts.push(fact(count(data.layers.length), data.layers.length === 1 ? "layer" : "layers"));
  facts.push(fact(data.platform, "platform"));
  $("facts").replaceChildren(...facts);
  const grain = measured
    ? "Bytes on the wire are read off the compressed layers while they are unpacked: to 4 kB of a gzip layer, to a block of at most 128 kB of a zstd layer."
    : "Layers are stored without compression, so that no file's bytes on the wire can be measured; the image's are estimated from samples.";
  $("footer").textContent = `${grain} Made by whit ${data.whit}.`;
}

function draw_legend() {
  const keys = COLOURS[state.colour].keys.filter((key) => key[2] !== null);
  const item = (words, hue, class_name) => {
    const patch = el("i", { class: class_name });
    if (hue !== null) patch.style.setProperty("--h", hue);
    return el("li", {}, patch, words);
  };
  const items = keys.slice(0, 16).map(([, words, hue]) => item(words, hue, "hue"));
  items.push(item(state.colour === "waste" ? "not wasted" : "other", null, ""));
  if (shrunk && state.area === "bytes") items.push(item("dropped", null, "gone"));
  $("legend").replaceChildren(...items);
}

function draw_controls() {
  for (const [area, words] of [["bytes", "unpacked"], ["wire", "on the wire"]]) {
    const input = el("input", { type: "radio", name: "area", value: area, checked: area === state.area, disabled: area === "wire" && !measured,
      onchange: () => { state.area = area; filter(); } });
    $("area").append(el("label", { title: area === "wire" && !measured ? "the layers are stored without compression" : undefined }, input, el("span", {}, words)));
  }
  for (const [id, colour] of Object.entries(COLOURS)) {
    if (id === "layer" && data.layers.length < 2) continue;
    $("colour").append(el("option", { value: id }, colour.name));
  }
  $("colour").addEventListener("change", () => { state.colour = $("colour").value; draw_maps(); draw_legend(); });
  $("scale-choice").hidden = !shrunk;
  $("scale").addEventListener("change", () => { state.scale = $("scale").checked; draw_maps(); });
  let waiting;
  $("query").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { state.query = $("query").value.trim().toLowerCase(); filter(); }, 120);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      $("query").focus();
    } else if (event.key === "Escape") {
      if (filtering()) {
        $("query").value = state.query = "";
        state.mark = null;
        filter();
      } else if (!typing) up(event.target.closest("#maps") ? "map" : null);
    }
  });
}

function filter() {
  count_hits(root);
  const chip = $("chip");
  chip.hidden = state.mark === null;
  if (state.mark) {
    chip.replaceChildren(el("b", {}, state.mark.name),
      el("button", { type: "button", "aria-label": `Show everything, not only ${state.mark.name}`, onclick: () => { state.mark = null; filter(); $("query").focus(); } }, "×"));
  }
  draw();
}

function draw() {
  draw_crumbs();
  draw_maps();
  draw_legend();
  draw_list();
  describe(state.chosen ?? state.at);
}

// A folder whose name is no valid address is the root's.
function follow_address() {
  try {
    state.at = find(decodeURI(location.hash.slice(1)));
  } catch {
    state.at = root;
  }
}

draw_header();
draw_controls();
draw_cards();
listen_to_map();
follow_address();
filter();
addEventListener("popstate", () => { follow_address(); state.chosen = null; draw(); });
let resizing;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(draw_maps, 100); });
