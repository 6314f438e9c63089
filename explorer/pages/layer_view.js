// The layers of a network as a strip, and the feature maps of the chosen one. The payload is described in
// explorer/packing.py. What needs no new data happens here and takes milliseconds; Python is asked for the maps of a
// layer once, by setStateValue("layer" | "page").

const CACHE_BYTES = 64 * 2 ** 20;
const GAP = 2; // CSS pixels between tiles of an atlas
const SHEET_ROWS = 8192; // browsers limit the height of a canvas
const KEY_DELAY_MS = 160; // a held arrow key passes over many layers: only the one it stops at is asked for
const PANELS = [
  ["Φ(x)", "of the picture"],
  ["Φ(g·x)", "of the transformed picture"],
  ["g⁻¹Φ(g·x)", "the same, realigned"],
  ["difference", "realigned − upright"],
];
const KINDS = {
  Conv2d: "convolution", BatchNorm2d: "batch norm", MaxPool2d: "max pool", AvgPool2d: "mean pool", Linear: "linear",
  FieldMaxPool2d: "max pool by field length", GroupMaxPool: "group max pool", FieldLength: "field length",
  SpatialMean: "spatial mean", FourierELU: "Fourier ELU",
};
// Ends to middle to ends; the middle is near the page's colour, so that zero recedes. The theme's own comes first.
const PALETTES = {
  light: {
    "purple–green": ["#40004b", "#762a83", "#9970ab", "#c2a5cf", "#f4f4f4", "#a6dba0", "#5aae61", "#1b7837", "#00441b"],
    grey: ["#000000", "#ffffff"],
  },
  dark: {
    "purple–green": ["#efd6f6", "#c890db", "#9a5bb0", "#5a336b", "#1a1d22", "#275233", "#4a9a58", "#86cf8c", "#d0f2d0"],
    grey: ["#000000", "#ffffff"],
  },
};

const cache = new Map(); // "view|layer|first field" → {maps, buffers}; the least recently used comes first
const instances = new WeakMap(); // parentElement → state
let instanceCount = 0;

export default function layerView({ parentElement, data, setStateValue, setTriggerValue }) {
  if (!instances.has(parentElement)) instances.set(parentElement, create(parentElement));
  const s = instances.get(parentElement);
  Object.assign(s, { setStateValue, setTriggerValue });
  const restyled = readTheme(s); // also called when only the theme has changed
  if (data && data !== s.data) {
    s.data = data;
    receive(s, parse(data), restyled);
  } else if (restyled && s.header) {
    buildStrip(s);
    draw(s);
  }
  return () => {
    s.observer.disconnect();
    clearTimeout(s.timer);
    instances.delete(parentElement);
  };
}

// ---- Words and numbers

function number(value, digits = 2) {
  if (value === null || value === undefined) return "—";
  const x = Number(value); // "Infinity" and "NaN" come as strings
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x < 0 ? "−∞" : "∞";
  const size = Math.abs(x);
  let text;
  if (size === 0) text = "0";
  else if (size < 0.01 || size >= 10 ** Math.max(digits, 3)) text = x.toExponential(digits - 1);
  else text = size >= 10 ** digits ? x.toFixed(0) : x.toPrecision(digits);
  return text.replace("-", x < 0 && text.startsWith("-") ? "−" : "-").replace("e+", "e");
}

const side = ([h, w]) => (h === w ? `${h}` : `${h}×${w}`);
const sides = ([h, w]) => `${h}×${w}`;
const kindOf = (layer) => KINDS[layer.kind] ?? layer.kind;

function pixels(value) {
  const whole = Math.trunc(Math.abs(value));
  const part = { 0.25: "¼", 0.5: "½", 0.75: "¾" }[Math.abs(value) - whole];
  const text = part ? `${whole || ""}${part}` : Number.isInteger(value) ? `${whole}` : number(Math.abs(value), 3);
  return value < 0 ? `−${text}` : text;
}

function pairText(pair, write = String) {
  return pair[0] === pair[1] ? write(pair[0]) : pair.map(write).join(" and ");
}

function samplingText(layer) {
  if (!layer.kernel) return "";
  const parts = [`kernel ${pairText(layer.kernel)}`, `stride ${pairText(layer.stride)}`];
  parts.push(`padding ${pairText(layer.padding)}`, `remainder ${pairText(layer.remainder)}`);
  parts.push(`displacement ${pairText(layer.displacement_px, pixels)} px`);
  return parts.join(", ");
}

const sizeText = (layer) =>
  sides(layer.in_hw) === sides(layer.out_hw) ? sides(layer.out_hw) : `${sides(layer.in_hw)} → ${sides(layer.out_hw)}`;

// ---- The payload and the cache

function parse(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, buffers: bytes.slice(4 + length).buffer }; // copied: within the message they may not be aligned
}

const cacheKey = (view, layer, first) => `${view}|${layer}|${first}`;

function remember({ header, buffers }) {
  const key = cacheKey(header.view, header.maps.layer, header.maps.fields[0]);
  cache.delete(key);
  cache.set(key, { maps: header.maps, buffers, slots: slotsOf(header.maps) });
  let bytes = [...cache.values()].reduce((sum, entry) => sum + entry.buffers.byteLength, 0);
  for (const [oldest, entry] of cache) {
    if (bytes <= CACHE_BYTES || oldest === key) break;
    bytes -= entry.buffers.byteLength;
    cache.delete(oldest);
  }
}

function recall(s) {
  const key = cacheKey(s.header.view, s.layer, s.first);
  const entry = cache.get(key);
  if (entry) {
    cache.delete(key);
    cache.set(key, entry);
  }
  return entry;
}

/** For each channel: its field, its place in the field, the field's first channel and size, and its run. */
function slotsOf(maps) {
  const slots = [];
  let field = maps.fields[0];
  maps.runs.forEach((run, at) => {
    for (let n = 0; n < run.count; n++, field++) {
      const start = slots.length;
      for (let index = 0; index < run.size; index++) slots.push({ field, index, start, size: run.size, run: at });
    }
  });
  return slots;
}

// ---- What to show: Python's layer, or the one chosen here

function receive(s, payload, restyled) {
  const { header } = payload;
  remember(payload);
  const sent = cacheKey("", header.maps.layer, header.maps.fields[0]);
  const outdated = s.requests.includes(sent) && s.requests.at(-1) !== sent;
  const moved = sent !== s.sent; // else a run for another reason sent again what Python last knew
  const layers = JSON.stringify(header.layers);
  const rebuild = restyled || header.view !== s.header?.view || layers !== s.layers;
  if (s.requests.at(-1) === sent) s.requests = [];
  chooseElement(s, header);
  Object.assign(s, { header, layers, sent });
  readPictures(s, payload);
  const exists = header.layers.some((layer) => layer.name === s.layer);
  if (!exists || (moved && !outdated)) {
    s.layer = header.maps.layer;
    s.first = header.maps.fields[0];
    s.page = { layer: s.layer, first: s.first };
  }
  if (rebuild) buildStrip(s);
  fillElements(s);
  const waiting = s.requests.at(-1) === cacheKey("", s.layer, s.first);
  show(s, { request: !waiting });
}

function chooseElement(s, header) {
  const names = header.transforms.map((transform) => transform.name);
  const python = names.includes(header.current) ? header.current : names[0];
  if (!names.includes(s.element) || header.current !== s.header?.current) s.element = python;
}

function chooseLayer(s, name, { first = s.firsts.get(name) ?? 0, delay = 0 } = {}) {
  if (name === s.layer && first === s.first) return;
  Object.assign(s, { layer: name, first, choseHere: true });
  s.firsts.set(name, first);
  show(s, { delay });
}

/** The maps of the chosen layer where they are known; else a skeleton, and a request. */
function show(s, { delay = 0, request = true } = {}) {
  clearTimeout(s.timer);
  markChosen(s);
  syncAddress(s);
  const same = s.sent === cacheKey("", s.layer, s.first);
  if (!recall(s) && same) remember(parse(s.data)); // forgotten since, but still Python's last message
  s.entry = recall(s);
  s.el.viewer.classList.toggle("waiting", !s.entry);
  if (s.entry) draw(s);
  else {
    writeTitle(s);
    if (request) s.timer = setTimeout(() => requestLayer(s), delay);
  }
}

function requestLayer(s) {
  s.requests.push(cacheKey("", s.layer, s.first));
  const pythonFirst = s.page?.layer === s.layer ? s.page.first : 0;
  if (pythonFirst !== s.first) {
    s.page = { layer: s.layer, first: s.first };
    s.setStateValue("page", s.page);
  }
  s.setStateValue("layer", s.layer);
}

/** A shared link must open what is shown; all other parameters stay. */
function syncAddress(s) {
  const url = new URL(window.location.href);
  const stale = url.searchParams.get("layer") !== s.layer && (s.choseHere || url.searchParams.has("layer"));
  if (!stale) return;
  url.searchParams.set("layer", s.layer);
  window.history.replaceState(window.history.state, "", url);
}

// ---- Colours

function readTheme(s) {
  const style = getComputedStyle(s.root);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const theme = ["background-color", "text-color", "chart-sequential-colors", "chart-diverging-colors"].map(read);
  if (theme.join("|") === s.theme) return false;
  s.theme = theme.join("|");
  const [red, green, blue] = rgb(theme[0]);
  const dark = 0.3 * red + 0.6 * green + 0.1 * blue < 128;
  s.text = theme[1];
  s.sequential = theme[2].split(",").map(rgb);
  s.palettes = { "orange–blue": theme[3].split(","), ...PALETTES[dark ? "dark" : "light"] };
  fillPalettes(s);
  return true;
}

function rgb(colour) {
  const hex = colour.trim().replace("#", "");
  if (/^[0-9a-f]{6}/i.test(hex)) return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return (colour.match(/[\d.]+/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
}

/** The colour at `t` (0..1) of a list of colours, as [red, green, blue]. */
function blend(colours, t) {
  const at = Math.min(Math.max(t, 0), 1) * (colours.length - 1);
  const low = Math.min(Math.floor(at), colours.length - 2);
  return colours[low].map((value, i) => Math.round(value + (at - low) * (colours[low + 1][i] - value)));
}

/** 513 colours for −1..1, each one 32-bit pixel; the last entry is for NaN. */
function lookup(colours) {
  const stops = colours.map(rgb);
  const table = new Uint32Array(514);
  for (let i = 0; i < 513; i++) {
    const [red, green, blue] = blend(stops, i / 512);
    table[i] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  table[513] = 0x00000000;
  return table;
}

/** Errors on a log scale: 0 at rounding, 1 at 1. */
function height(s, error) {
  const low = Math.log10(s.header.tolerance);
  return Math.min(Math.max(1 - Math.log10(Math.max(Number(error), 1e-30)) / low, 0), 1);
}

const errorColour = (s, t) => `rgb(${blend(s.sequential.slice(3, 8), t).join(",")})`;

// ---- The document

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function create(parentElement) {
  const root = parentElement.querySelector(".layer-view");
  const s = { root, id: `lv${instanceCount++}`, el: {}, requests: [], firsts: new Map(), channel: 0, hover: null };
  Object.assign(s, { palette: "orange–blue", stretch: false, strip: "all", which: null });
  root.replaceChildren(stripFrame(s), viewerFrame(s), (s.el.tip = h("div", { class: "tip", role: "tooltip", hidden: "" })));
  s.observer = new ResizeObserver(() => s.entry && s.width !== s.el.panels.clientWidth && draw(s));
  s.observer.observe(root);
  return s;
}

/** Native radio buttons as one segmented control: keyboard and screen readers come with them. */
function segmented(s, name, label, options, chosen, choose) {
  const group = h("div", { class: "segmented", role: "radiogroup", "aria-label": label });
  for (const [value, content, title] of options) {
    const input = h("input", { type: "radio", name: `${s.id}-${name}`, value, "aria-label": title ?? content });
    input.checked = value === chosen;
    input.onchange = () => choose(value);
    group.append(h("label", { title: title ?? null }, input, h("span", {}, content)));
  }
  return group;
}

// ---- The strip

function stripFrame(s) {
  const key = (name, text) => h("span", { class: "key" }, h("i", { class: name }), text);
  const choice = segmented(s, "strip", "Errors of", [["all", "largest"], ["one", "chosen element"]], s.strip, (value) => {
    s.strip = value;
    buildStrip(s);
  });
  s.el.scale = h("span", { class: "key" });
  s.el.layers = h("div", { class: "layers", role: "radiogroup", "aria-label": "Layers of the network" });
  s.el.layers.onkeydown = (event) => stripKey(s, event);
  s.el.layers.onscroll = () => hideTip(s);
  s.el.thumb = h("canvas", { class: "thumb" });
  const names = ["inherited", "own"].map((text) => h("b", {}, text));
  const lanes = h("div", { class: "lane-names", "aria-hidden": "true" }, h("div", {}, s.el.thumb, " →"), names);
  const legend = [s.el.scale, key("cross", "breaks by itself"), key("hatch", "no action")];
  return h(
    "section",
    { class: "strip", "aria-label": "Errors of all layers" },
    h("div", { class: "bar" }, h("span", { class: "legend" }, legend), h("span", { class: "push field" }, "error", choice)),
    h("div", { class: "strip-body" }, lanes, s.el.layers),
  );
}

/** The layers as [[group, [[block, [layer, …]], …]], …]: runs of equal first and second parts of the name. */
function grouped(layers) {
  const groups = [];
  for (const layer of layers) {
    const parts = layer.name.split(".");
    const block = parts.length > 2 ? parts[1] : "";
    if (groups.at(-1)?.[0] !== parts[0]) groups.push([parts[0], []]);
    const blocks = groups.at(-1)[1];
    if (blocks.at(-1)?.[0] !== block) blocks.push([block, []]);
    blocks.at(-1)[1].push(layer);
  }
  return groups;
}

/** Whether a layer mixes pixels, channels or fields, rather than treating each value by itself. */
const isWide = (layer) => Boolean(layer.kernel) || side(layer.in_hw) !== side(layer.out_hw) || /linear|conv|pool|length/i.test(layer.kind);

function buildStrip(s) {
  const { layers } = s.header;
  const focused = s.el.layers.contains(s.root.getRootNode().activeElement);
  s.el.layers.classList.toggle("dense", layers.length > 75);
  s.tiles = new Map();
  let last = null;
  const groups = grouped(layers).map(([group, blocks]) => {
    const parts = blocks.map(([block, members]) => {
      const tiles = members.map((layer) => {
        const changed = last === null || side(last) !== side(layer.out_hw);
        last = layer.out_hw;
        return tile(s, layer, changed);
      });
      return h("div", { class: "block", style: `flex-grow:${tiles.length}` }, h("span", { class: "block-name" }, block), h("div", { class: "tiles" }, tiles));
    });
    const units = blocks.reduce((sum, [, members]) => sum + members.length, 0);
    return h("div", { class: "group", style: `flex-grow:${units}` }, h("span", { class: "group-name", title: group }, group), h("div", { class: "blocks" }, parts));
  });
  groups.at(-1).firstChild.append(h("span", {}, " → logits"));
  s.el.layers.replaceChildren(...groups);
  paintPicture(s.el.thumb, s.picture);
  fillScale(s);
  markChosen(s);
  if (focused) s.tiles.get(s.layer)?.focus({ preventScroll: true });
}

function fillScale(s) {
  const stops = Array.from({ length: 7 }, (_, i) => errorColour(s, i / 6)).join(",");
  const ramp = h("i", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` });
  s.el.scale.replaceChildren("relative error ", h("b", {}, `≤ ${number(s.header.tolerance, 1)}`), ramp, h("b", {}, "1"));
}

/** The error to show: the largest of all elements, or that of the chosen one; null where nothing is compared. */
function shownError(s, errors) {
  const values = (s.strip === "one" ? [errors[s.element]] : Object.values(errors)).filter((v) => v !== null && v !== undefined);
  return values.length ? values.reduce((a, b) => (Number(b) > Number(a) || Number.isNaN(Number(b)) ? b : a)) : null;
}

function shownStatus(s, layer) {
  const values = s.strip === "one" ? [layer.status[s.element]] : Object.values(layer.status);
  return ["broken", "undecided"].find((status) => values.includes(status));
}

function tile(s, layer, changed) {
  const own = shownError(s, layer.own);
  const inherited = shownError(s, layer.error);
  const status = shownStatus(s, layer);
  const said = { broken: ", breaks by itself", undecided: ", undecided by itself" }[status] ?? "";
  const label = `${layer.name}, ${kindOf(layer)}, ${sizeText(layer)}, own error ${number(own)}, inherited error ${number(inherited)}${said}`;
  const button = h(
    "button",
    { type: "button", role: "radio", class: `tile ${isWide(layer) ? "wide" : "tick"}`, "aria-label": label, "aria-checked": "false", tabindex: "-1" },
    lane(s, inherited),
    lane(s, own),
    h("span", { class: "sign" }, { broken: "✕", undecided: "?" }[status] ?? ""),
    h("span", { class: "side" }, changed ? side(layer.out_hw) : ""),
  );
  button.onclick = () => chooseLayer(s, layer.name);
  button.onpointerenter = (event) => event.pointerType === "mouse" && showTip(s, button, layer);
  button.onpointerleave = () => hideTip(s);
  button.onblur = () => hideTip(s);
  s.tiles.set(layer.name, button);
  return button;
}

function lane(s, error) {
  if (error === null) return h("span", { class: "lane hatch" });
  const t = Number.isNaN(Number(error)) ? 1 : height(s, error);
  return h("span", { class: "lane" }, h("i", { style: `height:max(2px,${100 * t}%);background:${errorColour(s, t)}` }));
}

function markChosen(s) {
  for (const [name, button] of s.tiles ?? []) {
    button.setAttribute("aria-checked", String(name === s.layer));
    button.tabIndex = name === s.layer ? 0 : -1;
  }
  const chosen = s.tiles?.get(s.layer);
  if (!chosen) return;
  const box = s.el.layers; // scrolled by hand: scrollIntoView would also scroll the page
  const middle = chosen.offsetLeft - (box.clientWidth - chosen.offsetWidth) / 2;
  const hidden = chosen.offsetLeft < box.scrollLeft || chosen.offsetLeft + chosen.offsetWidth > box.scrollLeft + box.clientWidth;
  if (hidden) box.scrollTo({ left: middle, behavior: calm() ? "auto" : "smooth" });
}

const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function stripKey(s, event) {
  const names = [...s.tiles.keys()];
  const at = names.indexOf(s.layer);
  const target = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  const name = names[Math.min(Math.max(target, 0), names.length - 1)];
  chooseLayer(s, name, { delay: KEY_DELAY_MS });
  s.tiles.get(name).focus({ preventScroll: true });
  showTip(s, s.tiles.get(name), s.header.layers.find((layer) => layer.name === name));
}

function showTip(s, button, layer) {
  const rows = s.header.transforms.map(({ name, label }) => {
    const status = { broken: "✕ breaks", undecided: "? undecided", exact: "exact", "no action": "no action" }[layer.status[name]] ?? "";
    return h("tr", {}, h("th", {}, label), h("td", {}, number(layer.own[name])), h("td", {}, number(layer.error[name])), h("td", {}, status));
  });
  const head = h("tr", {}, ["", "own", "inherited", "by itself"].map((text) => h("th", {}, text)));
  const facts = [`${kindOf(layer)}, ${sizeText(layer)}`, samplingText(layer)].filter(Boolean);
  s.el.tip.replaceChildren(h("strong", {}, layer.name), ...facts.map((text) => h("div", {}, text)), h("table", {}, head, rows));
  s.el.tip.hidden = false;
  const [tile, root] = [button.getBoundingClientRect(), s.root.getBoundingClientRect()];
  const left = tile.left - root.left + tile.width / 2 - s.el.tip.offsetWidth / 2;
  s.el.tip.style.left = `${Math.min(Math.max(left, 0), Math.max(root.width - s.el.tip.offsetWidth, 0))}px`;
  s.el.tip.style.top = `${tile.bottom - root.top + 6}px`;
}

function hideTip(s) {
  s.el.tip.hidden = true;
}

// ---- The viewer's frame: title, pictures, controls

function viewerFrame(s) {
  const { el } = s;
  el.title = h("h3", { "aria-live": "polite" });
  el.facts = h("p", { class: "facts" });
  el.pictures = [h("canvas", { role: "img", "aria-label": "the picture" }), h("canvas", { role: "img", "aria-label": "the transformed picture" })];
  const frame = (canvas, text) => h("figure", {}, h("div", { class: "frame" }, canvas), h("figcaption", {}, text));
  const turn = h("button", { type: "button", class: "plain", onclick: () => turnPicture(s, true) }, "turn the picture");
  el.elements = h("div", { class: "field" });
  el.paletteField = h("div", { class: "field" });
  el.paging = h("div", { class: "field paging" });
  const controls = h("div", { class: "controls" }, frame(el.pictures[0], "x"), h("span", { class: "arrow" }, "→"), frame(el.pictures[1], "g·x"), h("div", { class: "options" }, el.elements, h("div", { class: "row" }, turn, el.paletteField, el.paging)));
  el.readout = h("div", { class: "readout", "aria-live": "off" });
  el.vectors = h("div", { class: "vectors" });
  const stage = h("div", { class: "stage" }, panelsFrame(s), scalesFrame(s), el.vectors, el.readout, largeFrame(s));
  el.viewer = h("section", { class: "viewer", "aria-label": "Maps of the chosen layer" }, el.title, el.facts, controls, stage);
  return el.viewer;
}

function panelsFrame(s) {
  s.el.atlases = PANELS.map(([title, note], panel) => {
    const atlas = board(s, panel, (event) => atlasPixel(s, panel, event));
    atlas.columns = h("div", { class: "columns", "aria-hidden": "true" });
    atlas.note = h("span", { class: "note" }, note);
    atlas.message = h("p", { class: "message" });
    atlas.scroll = h("div", { class: "scroll" }, atlas.sheet, atlas.message);
    atlas.scroll.onscroll = () => s.el.atlases.forEach((other) => (other.scroll.scrollTop = atlas.scroll.scrollTop));
    atlas.box = h("figure", { class: "panel" }, h("figcaption", {}, h("b", {}, title), atlas.note, atlas.columns), atlas.scroll);
    return atlas;
  });
  s.el.panels = h("div", { class: "panels", tabindex: "0", role: "group", "aria-label": "Feature maps: arrow keys choose a field and its channel" }, s.el.atlases.map((atlas) => atlas.box));
  s.el.panels.onkeydown = (event) => atlasKey(s, event);
  return s.el.panels;
}

/** A canvas with two marks over it: the pixel under the pointer, and the chosen tile. */
function board(s, panel, locate) {
  const canvas = h("canvas");
  const [hover, chosen] = [h("i", { class: "mark pixel", hidden: "" }), h("i", { class: "mark chosen", hidden: "" })];
  const sheet = h("div", { class: "sheet" }, canvas, chosen, hover);
  sheet.onpointermove = sheet.onpointerdown = (event) => point(s, panel, locate(event));
  sheet.onpointerleave = () => point(s, panel, null);
  sheet.onclick = (event) => {
    const at = locate(event);
    if (at) chooseChannel(s, uprightPlace(s, panel, at).channel);
  };
  return { canvas, hover, chosen, sheet };
}

function scalesFrame(s) {
  const bar = () => ({ low: h("b"), ramp: h("i", { class: "ramp" }), high: h("b"), text: h("span") });
  s.el.scales = [bar(), bar()];
  const parts = s.el.scales.map(({ low, ramp, high, text }) => h("div", { class: "scale" }, h("span", { class: "key" }, low, ramp, high), text));
  const stretch = h("input", { type: "checkbox", onchange: () => ((s.stretch = stretch.checked), draw(s)) });
  parts[1].append(h("label", { class: "check", title: "Give the difference a scale of its own, up to its largest value" }, stretch, "stretch"));
  return h("div", { class: "scales" }, parts);
}

function largeFrame(s) {
  s.el.large = PANELS.map(([title], panel) => {
    const one = board(s, panel, (event) => largePixel(s, panel, event));
    one.box = h("figure", {}, one.sheet, h("figcaption", {}, title));
    return one;
  });
  s.el.largeTitle = h("h4");
  const open = h("button", { type: "button", class: "plain", onclick: () => openLarge(s) }, "Open large");
  return h("div", { class: "large" }, h("div", { class: "large-head" }, s.el.largeTitle, open), h("div", { class: "large-row" }, s.el.large.map((one) => one.box)));
}

const openLarge = (s) =>
  s.setTriggerValue("enlarge", { layer: s.layer, channel: s.entry.maps.first_channel + s.channel, transform: s.element });

function fillElements(s) {
  const options = s.header.transforms.map(({ name, label }) => [name, label]);
  s.el.elements.replaceChildren("g", segmented(s, "element", "Element", options, s.element, (name) => {
    s.element = name;
    if (s.strip === "one") buildStrip(s);
    turnPicture(s, false);
    if (s.entry) draw(s);
  }));
  turnPicture(s, false);
}

function fillPalettes(s) {
  const options = Object.entries(s.palettes).map(([name, colours]) => [name, h("i", { class: "swatch", style: `background:linear-gradient(90deg,${colours.join(",")})` }), name]);
  s.el.paletteField.replaceChildren("colours", segmented(s, "palette", "Colours", options, s.palette, (name) => {
    s.palette = name;
    if (s.entry) draw(s);
  }));
}

function fillPaging(s) {
  const { fields, total_fields: total, page } = s.entry.maps;
  const all = fields[0] === 0 && fields[1] === total - 1;
  const button = (text, first, enabled) => h("button", { type: "button", class: "plain", disabled: enabled ? null : "", onclick: () => chooseLayer(s, s.layer, { first }) }, text);
  const parts = [button("previous fields", Math.max(fields[0] - page, 0), fields[0] > 0), `fields ${fields[0] + 1} to ${fields[1] + 1} of ${total}`, button("next fields", fields[1] + 1, fields[1] < total - 1)];
  s.el.paging.replaceChildren(...(all ? [] : parts));
}

function writeTitle(s) {
  const layer = s.header.layers.find(({ name }) => name === s.layer);
  const errors = `own error ${number(layer.own[s.element])}, inherited ${number(layer.error[s.element])}`;
  s.el.title.replaceChildren(h("code", {}, layer.name), ` — ${kindOf(layer)}, ${sizeText(layer)}, ${fieldsText(s.entry)}${errors}`);
  const status = layer.status[s.element];
  const breaks = { broken: "✕ Breaks by itself: ", undecided: "? Its own padding merges with the next layer’s: " }[status] ?? "";
  const facts = samplingText(layer);
  s.el.facts.textContent = breaks + (facts || (status === "broken" ? "its weights or channels do not commute with g." : "")) || " ";
}

function fieldsText(entry) {
  if (!entry) return "";
  const { fields, total_fields: total } = entry.maps;
  const shown = fields[1] - fields[0] + 1;
  return shown === total ? `${total} ${total === 1 ? "field" : "fields"}, ` : `${shown} of ${total} fields shown, `;
}

// ---- The two pictures

function readPictures(s, { header, buffers }) {
  const read = ({ hw, offset }) => ({ hw, rgb: new Uint8Array(buffers.slice(offset, offset + hw[0] * hw[1] * 3)) });
  const transformed = Object.entries(header.picture.transformed).map(([name, picture]) => [name, read(picture)]);
  Object.assign(s, { picture: read(header.picture.upright), transformed: Object.fromEntries(transformed) });
}

function paintPicture(canvas, { hw: [rows, columns], rgb: colours }) {
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) image.data.set([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2], 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  canvas.classList.toggle("tall", rows > columns);
}

/** Shows g·x; quarter turns and mirrors move before the eye, from x on if `again`. */
function turnPicture(s, again) {
  const canvas = s.el.pictures[1];
  const transform = s.header.transforms.find(({ name }) => name === s.element);
  const given = s.transformed[s.element];
  paintPicture(s.el.pictures[0], s.picture);
  paintPicture(canvas, given ?? s.picture);
  const moved = given ? "none" : `rotate(${-transform.turn_deg}deg) scaleX(${transform.mirrored ? -1 : 1})`;
  if (again) {
    canvas.style.transition = "none";
    canvas.style.transform = given ? `rotate(${transform.turn_deg}deg)` : "rotate(0deg) scaleX(1)";
    void canvas.offsetWidth; // the browser must see the start before the end is set
    canvas.style.transition = "";
  }
  canvas.style.transform = moved;
}

// ---- Values

const floats = (entry, offset, channels, hw) => new Float32Array(entry.buffers, offset, channels * (hw ? hw[0] * hw[1] : 1));

/** [Φ(x), Φ(g·x), g⁻¹Φ(g·x), difference] as {values, hw}; the last two null without an action. */
function passOf(s, name) {
  const { entry } = s;
  const { maps } = entry;
  const transform = maps.transforms[name];
  const upright = floats(entry, transform.upright_offset, maps.channels, maps.hw);
  const transformed = floats(entry, transform.offset, maps.channels, transform.hw);
  const realigned = realign(entry, transform, transformed);
  const difference = realigned && realigned.map((value, i) => value - upright[i]);
  const pack = (values, hw) => values && { values, hw };
  return [pack(upright, maps.hw), pack(transformed, transform.hw), pack(realigned, maps.hw), pack(difference, maps.hw)];
}

function realign(entry, { realign: recipe, hw }, transformed) {
  const { maps, slots } = entry;
  if (!recipe) return null;
  if (recipe.kind === "given") return floats(entry, recipe.offset, maps.channels, maps.hw);
  const source = sourcePixels(recipe, hw, maps.hw);
  const area = source.length;
  const out = new Float32Array(transformed.length);
  slots.forEach(({ start, index, run }, channel) => {
    const { permutation, matrix } = recipe.mix[run];
    const weights = permutation ? [[permutation[index], 1]] : matrix[index].map((weight, j) => [j, weight]).filter(([, weight]) => weight);
    for (const [j, weight] of weights) {
      const from = (start + j) * area;
      for (let p = 0; p < area; p++) out[channel * area + p] += weight * transformed[from + source[p]];
    }
  });
  return out;
}

/** For each pixel of the realigned maps, the pixel of Φ(g·x) that lands there: mirrored first, then turned. */
function sourcePixels({ turns, mirrored }, from, to) {
  if (!from) return Uint32Array.of(0);
  const [H, W] = from;
  const source = new Uint32Array(to[0] * to[1]);
  for (let i = 0, p = 0; i < to[0]; i++) {
    for (let j = 0; j < to[1]; j++, p++) {
      const [y, x] = [[i, j], [j, W - 1 - i], [H - 1 - i, W - 1 - j], [H - 1 - j, i]][turns];
      source[p] = y * W + (mirrored ? W - 1 - x : x);
    }
  }
  return source;
}

function largest(values) {
  let most = 0;
  for (const value of values ?? []) if (Math.abs(value) > most && Math.abs(value) !== Infinity) most = Math.abs(value);
  return most;
}

// ---- Drawing

function draw(s) {
  const { el, entry } = s;
  s.width = el.panels.clientWidth;
  s.channel = s.channel < entry.maps.channels ? s.channel : 0;
  s.hover = null;
  s.table = lookup(s.palettes[s.palette]);
  writeTitle(s);
  fillPaging(s);
  el.viewer.classList.toggle("pooled", !entry.maps.hw);
  s.pass = passOf(s, s.element);
  s.most = Math.max(largest(s.pass[0].values), largest(s.pass[1].values));
  s.mostDifference = largest(s.pass[3]?.values);
  if (!entry.maps.hw) drawVectors(s);
  else {
    s.grid = layout(s);
    s.el.atlases.forEach((atlas, panel) => drawAtlas(s, atlas, panel));
    drawScales(s);
    drawLarge(s);
  }
  point(s, 0, null);
}

/** Where each channel's tile lies, and how large: {columns, rows, cell (map pixels), size (CSS pixels a map pixel), places}. */
function layout(s) {
  const { maps } = s.entry;
  const shapes = [maps.hw, ...Object.values(maps.transforms).map(({ hw }) => hw)];
  const cell = [0, 1].map((axis) => Math.max(...shapes.map((hw) => hw[axis]))); // one for all: nothing moves with g
  const width = s.el.atlases[0].box.clientWidth - 8;
  const room = parseFloat(getComputedStyle(s.root).getPropertyValue("--panel-height"));
  const most = Math.max(...maps.runs.map(({ size }) => size));
  const columns = most > 1 ? most : scalarColumns(maps.channels, cell, width, room);
  const places = [];
  let row = 0;
  for (const { size, count } of maps.runs) {
    const across = size > 1 ? size : columns;
    for (let n = 0; n < size * count; n++) places.push([row + Math.floor(n / across), n % across]);
    row += Math.ceil((size * count) / across);
  }
  return { columns, rows: row, cell, size: pixelSize((width - GAP * (columns - 1)) / columns / cell[1], cell), places };
}

/** The fewest columns (at most 8) with which all scalar fields are seen without scrolling. */
function scalarColumns(count, cell, width, room) {
  for (let columns = 1; columns < Math.min(8, count); columns++) {
    const tileHeight = (Math.min((width - GAP * (columns - 1)) / columns, 128) * cell[0]) / cell[1];
    if (Math.ceil(count / columns) * (tileHeight + GAP) <= room) return columns;
  }
  return Math.min(8, count);
}

/** CSS pixels for a map pixel: whole device pixels where that wastes little room, so that all look alike. */
function pixelSize(available, cell) {
  const ratio = window.devicePixelRatio || 1;
  const exact = Math.min(available, 128 / Math.max(...cell)) * ratio;
  const whole = Math.floor(exact);
  return (whole >= 0.85 * exact ? whole : Math.floor(exact * cell[1]) / cell[1]) / ratio;
}

const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Draws channels of `values` (C, H, W) where `place(channel)` says: [left, top, width, height] in device pixels. */
function paintMaps(context, { values, hw: [H, W] }, table, most, channels, place) {
  const scale = most > 0 ? 256 / most : 0;
  const chunk = Math.max(1, Math.floor(SHEET_ROWS / H));
  context.imageSmoothingEnabled = false;
  for (let start = 0; start < channels.length; start += chunk) {
    const part = channels.slice(start, start + chunk);
    const image = new ImageData(W, H * part.length);
    const colours = new Uint32Array(image.data.buffer);
    let at = 0;
    for (const channel of part) {
      for (let p = channel * H * W; p < (channel + 1) * H * W; p++) {
        const value = values[p];
        colours[at++] = table[value !== value ? 513 : Math.min(Math.max((256.5 + value * scale) | 0, 0), 512)];
      }
    }
    Object.assign(scratch.canvas, { width: W, height: H * part.length });
    scratch.putImageData(image, 0, 0);
    part.forEach((channel, n) => {
      const [left, top, width, height] = place(channel);
      context.imageSmoothingEnabled = width < W; // fewer device pixels than map pixels: average them
      context.drawImage(scratch.canvas, 0, n * H, W, H, left, top, width, height);
    });
  }
}

const mostOf = (s, panel) => (panel === 3 && s.stretch ? s.mostDifference : s.most);

function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  return canvas.getContext("2d");
}

function drawAtlas(s, atlas, panel) {
  const shown = s.pass[panel];
  const { columns, rows, cell, size } = s.grid;
  const [stepX, stepY] = [cell[1] * size + GAP, cell[0] * size + GAP];
  const labels = s.entry.maps.runs.reduce((a, b) => (b.size > a.size ? b : a)).columns;
  atlas.columns.replaceChildren(...labels.map((label) => h("span", { style: `width:${stepX}px` }, label)));
  atlas.box.classList.toggle("empty", !shown);
  atlas.message.textContent = shown ? (largest(shown.values) === 0 && panel < 3 ? "all zero" : "") : noAction(s);
  const context = fitCanvas(atlas.canvas, columns * stepX - GAP, rows * stepY - GAP);
  atlas.note.textContent = panel === 3 && shown && largest(shown.values) === 0 ? "none: equal to the last bit" : PANELS[panel][1];
  if (!shown) return;
  const ratio = window.devicePixelRatio || 1;
  const all = s.grid.places.map((_, channel) => channel);
  paintMaps(context, shown, s.table, mostOf(s, panel), all, (channel) => tileBox(s, panel, channel).map((x) => Math.round(x * ratio)));
}

/** [left, top, width, height] of a channel's tile in CSS pixels; maps of another shape lie in the middle of the cell. */
function tileBox(s, panel, channel) {
  const { cell, size, places } = s.grid;
  const [row, column] = places[channel];
  const [H, W] = s.pass[panel]?.hw ?? s.entry.maps.hw;
  const left = column * (cell[1] * size + GAP) + ((cell[1] - W) * size) / 2;
  return [left, row * (cell[0] * size + GAP) + ((cell[0] - H) * size) / 2, W * size, H * size];
}

function noAction(s) {
  const { label, shift_px: shift } = s.header.transforms.find(({ name }) => name === s.element);
  if (shift) return `Nothing to compare: ${label} px is no whole number of steps of this layer, or no pixel is free of the border.`;
  return `No action: ${s.header.group ? `a ${s.header.group} network` : "this network"} says nothing about ${label} here.`;
}

function drawScales(s) {
  const gradient = `linear-gradient(90deg,${s.palettes[s.palette].join(",")})`;
  s.el.scales.forEach((scale, at) => {
    const most = mostOf(s, at ? 3 : 0);
    scale.low.textContent = number(-most);
    scale.high.textContent = number(most);
    scale.ramp.style.background = gradient;
  });
  s.el.scales[0].text.textContent = "one scale for the three";
  const rounding = s.mostDifference <= s.header.tolerance * s.most ? ", rounding" : "";
  s.el.scales[1].text.textContent = s.pass[3] ? `largest ${number(s.mostDifference)}${rounding}` : "";
}

function drawLarge(s) {
  const ratio = window.devicePixelRatio || 1;
  const { field, index, run } = s.entry.slots[s.channel];
  const column = s.entry.maps.runs[run].columns[index];
  s.el.largeTitle.textContent = `Field ${field + 1}${column ? `, ${column}` : ""}`;
  s.el.large.forEach((one, panel) => {
    const shown = s.pass[panel];
    one.box.classList.toggle("empty", !shown);
    const [H, W] = shown?.hw ?? s.entry.maps.hw;
    const available = Math.min(s.el.large[0].box.clientWidth || 200, 232) / Math.max(...s.grid.cell);
    const whole = Math.floor(available * ratio);
    one.size = whole >= 1 ? whole / ratio : available;
    const context = fitCanvas(one.canvas, W * one.size, H * one.size);
    const channel = panel === 1 ? transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel : s.channel;
    if (shown) paintMaps(context, shown, s.table, mostOf(s, panel), [channel], () => [0, 0, one.canvas.width, one.canvas.height]);
    setMark(s.el.atlases[panel].chosen, shown && tileBox(s, panel, channel));
  });
}

// ---- Pointing and choosing

/** A place of the upright maps → the place of Φ(g·x) that shows the same, or back if `back`. */
function carry(s, { channel, y, x }, back) {
  const { turn_deg: turn, mirrored, shift_px: shift } = s.header.transforms.find(({ name }) => name === s.element);
  const [from, to] = back ? [s.pass[1].hw, s.pass[0].hw] : [s.pass[0].hw, s.pass[1].hw];
  let [right, up] = [x - (from[1] - 1) / 2, (from[0] - 1) / 2 - y];
  if (shift) {
    const step = (axis) => ((back ? -1 : 1) * shift[axis] * s.pass[0].hw[axis]) / s.picture.hw[axis];
    [right, up] = [right + step(1), up - step(0)];
  } else {
    const angle = ((back && !mirrored ? -turn : turn) * Math.PI) / 180; // mirrored elements undo themselves
    if (mirrored) right = -right;
    [right, up] = [right * Math.cos(angle) - up * Math.sin(angle), right * Math.sin(angle) + up * Math.cos(angle)];
  }
  return { channel: mixedChannel(s, channel, back), y: Math.round((to[0] - 1) / 2 - up), x: Math.round(right + (to[1] - 1) / 2) };
}

/** The channel of Φ(g·x) that g⁻¹ brings to `channel` (for a matrix: the one with the largest weight), or back. */
function mixedChannel(s, channel, back) {
  const { start, index, size, run } = s.entry.slots[channel];
  const mix = s.entry.maps.transforms[s.element].realign?.mix?.[run];
  if (!mix) return channel;
  const source = (i) => mix.permutation?.[i] ?? mix.matrix[i].reduce((best, w, j, row) => (Math.abs(w) > Math.abs(row[best]) ? j : best), 0);
  if (!back) return start + source(index);
  return start + Math.max(Array.from({ length: size }, (_, i) => source(i)).indexOf(index), 0);
}

const transformedPlace = (s, place) => carry(s, place, false);
const uprightPlace = (s, panel, place) => (panel === 1 ? carry(s, place, true) : place);

function atlasPixel(s, panel, event) {
  const box = s.el.atlases[panel].canvas.getBoundingClientRect();
  const [left, top] = [event.clientX - box.left, event.clientY - box.top];
  const { cell, size, columns, places } = s.grid;
  const [column, row] = [Math.floor(left / (cell[1] * size + GAP)), Math.floor(top / (cell[0] * size + GAP))];
  const channel = column < columns ? places.findIndex(([r, c]) => r === row && c === column) : -1;
  if (channel < 0 || !s.pass[panel]) return null;
  const tile = tileBox(s, panel, channel);
  return inside(s, panel, { channel, y: Math.floor((top - tile[1]) / size), x: Math.floor((left - tile[0]) / size) });
}

function largePixel(s, panel, event) {
  const { canvas, size } = s.el.large[panel];
  const box = canvas.getBoundingClientRect();
  const channel = panel === 1 ? transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel : s.channel;
  if (!s.pass[panel]) return null;
  return inside(s, panel, { channel, y: Math.floor((event.clientY - box.top) / size), x: Math.floor((event.clientX - box.left) / size) });
}

function inside(s, panel, place) {
  const [H, W] = s.pass[panel].hw;
  return place.y >= 0 && place.x >= 0 && place.y < H && place.x < W ? place : null;
}

/** Marks a pixel (or nothing) in all panels, and reads its values. */
function point(s, panel, at) {
  if (!s.entry?.maps.hw || s.el.viewer.classList.contains("waiting")) return;
  const upright = at && uprightPlace(s, panel, at);
  s.hover = upright;
  const places = [0, 1, 2, 3].map((p) => (upright && s.pass[p] ? inside(s, p, p === 1 ? transformedPlace(s, upright) : upright) : null));
  places.forEach((place, p) => {
    const { size } = s.grid;
    const tile = place && tileBox(s, p, place.channel);
    setMark(s.el.atlases[p].hover, tile, tile && [(place.x + 0.5) * size, (place.y + 0.5) * size]);
    const one = s.el.large[p];
    const here = place && upright.channel === s.channel;
    setMark(one.hover, here && [0, 0, s.pass[p].hw[1] * one.size, s.pass[p].hw[0] * one.size], here && [(place.x + 0.5) * one.size, (place.y + 0.5) * one.size]);
  });
  const values = places.map((place, p) => (place ? s.pass[p].values[(place.channel * s.pass[p].hw[0] + place.y) * s.pass[p].hw[1] + place.x] : null));
  writeReadout(s, upright && `${channelText(s, upright.channel)}, row ${upright.y + 1}, column ${upright.x + 1}`, values);
}

function channelText(s, channel) {
  const { field, index, run } = s.entry.slots[channel];
  const column = s.entry.maps.runs[run].columns[index];
  return `field ${field + 1}${column ? `, ${column}` : ""}`;
}

function writeReadout(s, where, values) {
  const cells = PANELS.map(([title], p) => h("span", {}, `${title} `, h("b", {}, where ? number(values[p], p === 3 ? 2 : 4) : "")));
  s.el.readout.replaceChildren(h("span", {}, where || "Point at a pixel to read its values."), ...cells);
}

function setMark(mark, box, cross) {
  mark.hidden = !box;
  if (!box) return;
  ["left", "top", "width", "height"].forEach((name, i) => (mark.style[name] = `${box[i]}px`));
  if (cross) ["--x", "--y"].forEach((name, i) => mark.style.setProperty(name, `${cross[i]}px`));
}

function chooseChannel(s, channel) {
  s.channel = channel;
  drawLarge(s);
}

function atlasKey(s, event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const [row, column] = s.grid.places[s.channel];
  const channel = s.grid.places.findIndex(([r, c]) => r === row + step[0] && c === column + step[1]);
  if (channel < 0) return;
  chooseChannel(s, channel);
  writeReadout(s, channelText(s, channel), [null, null, null, null]);
  const { scroll } = s.el.atlases[0];
  const [, top, , height] = tileBox(s, 0, channel);
  for (const box of [scroll, s.el.panels]) {
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight - 60) box.scrollTop = top + height - box.clientHeight + 60;
  }
}

// ---- Layers without pixels: bars

function drawVectors(s) {
  const rows = s.header.transforms.map(({ name, label }) => {
    const pass = passOf(s, name);
    const most = Math.max(largest(pass[0].values), largest(pass[1].values));
    const canvas = h("canvas", { role: "img", "aria-label": `channels after ${label}` });
    const note = pass[3] ? `largest difference ${number(largest(pass[3].values))}` : "no action";
    canvas.onpointermove = (event) => vectorValues(s, pass, label, event);
    canvas.onpointerleave = () => writeReadout(s, null, []);
    return { row: h("div", { class: `vector${name === s.element ? " current" : ""}` }, h("b", {}, label), canvas, h("span", {}, note)), canvas, pass, most };
  });
  const most = Math.max(...rows.map((row) => row.most));
  const legend = h("p", { class: "facts" }, `Bars: g⁻¹Φ(g·x), channel by channel, all from ${number(-most)} to ${number(most)}. Lines: Φ(x).`);
  s.el.vectors.replaceChildren(legend, ...rows.map(({ row }) => row));
  rows.forEach(({ canvas, pass }) => drawBars(s, canvas, pass, most || 1));
}

function drawBars(s, canvas, [upright, transformed, realigned], most) {
  const [width, height] = [canvas.clientWidth, 56];
  const context = fitCanvas(canvas, width, height);
  canvas.style.width = "";
  context.scale(canvas.width / width, canvas.height / height);
  const bars = (realigned ?? transformed).values;
  const step = width / bars.length;
  const y = (value) => height / 2 - (Math.min(Math.max(value || 0, -most), most) / most) * (height / 2 - 2);
  context.fillStyle = errorColour(s, 0.35);
  bars.forEach((value, i) => context.fillRect(i * step + step * 0.12, Math.min(y(value), height / 2), step * 0.76, Math.abs(y(value) - height / 2)));
  context.fillStyle = s.text;
  upright.values.forEach((value, i) => context.fillRect(i * step, y(value) - 0.75, step, 1.5));
  context.globalAlpha = 0.4;
  context.fillRect(0, height / 2 - 0.5, width, 1);
}

function vectorValues(s, pass, label, event) {
  const channel = Math.floor((event.offsetX / event.target.clientWidth) * s.entry.maps.channels);
  if (channel < 0 || channel >= s.entry.maps.channels) return;
  writeReadout(s, `${label}, ${channelText(s, channel)}`, pass.map((part) => part && part.values[channel]));
}
