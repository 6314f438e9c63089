// The layers of a network as a strip, and the feature maps of the chosen one. The payload is described in
// explorer/layer_view/packing.py. What needs no new data happens here and takes milliseconds; Python is asked for the maps of a
// layer once, by setStateValue("layer" | "page").
//
// Streamlit takes one script: layer_view.py joins this file (payload, cache, what to show) and the other layer_*.js, each
// a subject of its own. `s` is the state of one view on the page.

const CACHE_BYTES = 64 * 2 ** 20;
const KEY_DELAY_MS = 160; // a held arrow key passes over many layers: only the one it stops at is asked for
const PANELS = [
  ["Φ(x)", "of the picture"],
  ["Φ(g·x)", "of the transformed picture"],
  ["g⁻¹Φ(g·x)", "the same, realigned"],
  ["difference", "realigned − upright"],
];

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
    if (s.entry) draw(s);
  }
  return () => {
    s.observer.disconnect();
    clearTimeout(s.timer);
    clearTimeout(s.helpTimer);
    instances.delete(parentElement);
  };
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

/**
 * For each channel: its field, its place in the field, the field's first channel and size, its run, and its part: the
 * channels that any element mixes among each other (a whole field, or one frequency of it) have the same number.
 */
function slotsOf(maps) {
  const slots = [];
  let field = maps.fields[0];
  let part = -1;
  maps.runs.forEach((run, at) => {
    for (let n = 0; n < run.count; n++, field++) {
      const start = slots.length;
      run.columns.forEach((column, index) => {
        if (index === 0 || frequencyOf(column) !== frequencyOf(run.columns[index - 1])) part += 1;
        slots.push({ field, index, start, size: run.size, run: at, part });
      });
    }
  });
  return slots;
}

/** The frequency in the label of a column of harmonics, 2 of "2c"; 0 for elements of a group. */
const frequencyOf = (column) => parseInt(column, 10) || 0;

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
  s.el.viewer.setAttribute("aria-busy", String(!s.entry));
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

