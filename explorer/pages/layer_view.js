// The layers of a network as a strip, and the feature maps of the chosen one. The payload is described in
// explorer/packing.py. What needs no new data happens here and takes milliseconds; Python is asked for the maps of a
// layer once, by setStateValue("layer" | "page").
//
// Streamlit takes one script: layer_view.py joins this file (payload, cache, what to show), layer_strip.js,
// layer_controls.js and layer_maps.js, in this order. `s` is the state of one view on the page.

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
  Conv2d: "convolution",
  BatchNorm2d: "batch norm",
  MaxPool2d: "max pool",
  AvgPool2d: "mean pool",
  Linear: "linear",
  FieldMaxPool2d: "max pool by field length",
  GroupMaxPool: "group max pool",
  FieldLength: "field length",
  SpatialMean: "spatial mean",
  FourierELU: "Fourier ELU",
};
// Ends to middle to ends; the middle is near the page's colour, so that zero recedes. The theme's own comes first.
const PALETTES = {
  light: {
    "purple–green": [
      "#40004b",
      "#762a83",
      "#9970ab",
      "#c2a5cf",
      "#f4f4f4",
      "#a6dba0",
      "#5aae61",
      "#1b7837",
      "#00441b",
    ],
    grey: ["#000000", "#ffffff"],
  },
  dark: {
    "purple–green": [
      "#efd6f6",
      "#c890db",
      "#9a5bb0",
      "#5a336b",
      "#1a1d22",
      "#275233",
      "#4a9a58",
      "#86cf8c",
      "#d0f2d0",
    ],
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
  const text = part
    ? `${whole || ""}${part}`
    : Number.isInteger(value)
      ? `${whole}`
      : number(Math.abs(value), 3);
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

function sizeText({ in_hw: before, out_hw: after }) {
  if (side(before) === "1" && side(after) === "1") return "no pixels";
  return sides(before) === sides(after) ? sides(after) : `${sides(before)} → ${sides(after)}`;
}

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
      for (let index = 0; index < run.size; index++)
        slots.push({ field, index, start, size: run.size, run: at });
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
  followElement(s, header);
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

function followElement(s, header) {
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
  const s = {
    root,
    id: `lv${instanceCount++}`,
    el: {},
    requests: [],
    firsts: new Map(),
    channel: 0,
    hover: null,
  };
  Object.assign(s, { palette: "orange–blue", stretch: false, strip: "all", which: null });
  root.replaceChildren(
    stripFrame(s),
    viewerFrame(s),
    (s.el.tip = h("div", { class: "tip", role: "tooltip", hidden: "" })),
  );
  s.observer = new ResizeObserver(() => s.entry && s.width !== s.el.panels.clientWidth && draw(s));
  s.observer.observe(root);
  return s;
}

/** Native radio buttons as one segmented control: keyboard and screen readers come with them. */
function segmented(s, name, label, options, chosen, choose) {
  const group = h("div", { class: "segmented", role: "radiogroup", "aria-label": label });
  for (const [value, content, title] of options) {
    const input = h("input", {
      type: "radio",
      name: `${s.id}-${name}`,
      value,
      "aria-label": title ?? content,
    });
    input.checked = value === chosen;
    input.onchange = () => choose(value);
    group.append(h("label", { title: title ?? null }, input, h("span", {}, content)));
  }
  return group;
}
