// The layers of a network as a strip, and the feature maps of the chosen one; the entry for a host: a page of Streamlit, a
// notebook, any document.
//
// What needs no new data happens here and takes milliseconds; the host is asked for the maps of a layer once. `s` is the
// state of one view; its parts are the modules beside this one, and what needs no document is in pure/.

import { fillElements, fillPalettes } from "./choices.js";
import { tipFrame, watchHelp } from "./help.js";
import { layerCache, pageKey, parse, picturesOf } from "./pure/payload.js";
import { buildStrip, markChosen, stripFrame } from "./strip.js";
import { readTheme } from "./theme.js";
import { draw, viewerFrame, writeTitle } from "./viewer.js";

const CACHE_BYTES = 64 * 2 ** 20;

const cache = layerCache(CACHE_BYTES); // of all views
let viewCount = 0;

/**
 * A view in `element`, empty until it is given a payload. Colours and fonts are the CSS variables --st-… of the element.
 *
 * host: what to call, all optional.
 *   onPage({layer, first})    maps are wanted from another field on than `onLayer` would give; `onLayer` follows
 *   onLayer(layer)            the maps of this layer are wanted, from field 0 or the one of `onPage` on
 *   onEnlarge({layer, channel, transform})    a channel, counted over the whole layer, is to be opened large
 *   onShow(layer, isChosenHere)    a layer is shown, which the visitor chose here or the payload did
 *
 * Returns {show, restyle, close}: `show(bytes)` draws a payload, a Uint8Array made by packing.pack_view in Python;
 * `restyle()` is for after a change of the theme; `close()` ends the view, and leaves what it drew.
 */
export function createView(element, host = {}) {
  const s = create(element, host);
  return {
    show: (bytes) => receive(s, bytes),
    restyle: () => restyle(s),
    close: () => close(s),
  };
}

function create(root, host) {
  const s = {
    root,
    host,
    id: `lv${viewCount++}`,
    el: {},
    requests: [],
    firsts: new Map(),
    channel: 0,
    hover: null,
    palette: "orange–blue",
    scale: "layer",
    stretch: false,
    strip: "all",
  };
  s.chooseLayer = (name, options) => chooseLayer(s, name, options);
  s.redraw = () => s.entry && draw(s);
  root.classList.add("layer-view");
  root.replaceChildren(stripFrame(s), viewerFrame(s), tipFrame(s));
  watchHelp(s);
  s.observer = new ResizeObserver(() => s.entry && s.width !== s.el.panels.clientWidth && draw(s));
  s.observer.observe(root);
  return s;
}

function close(s) {
  s.observer.disconnect();
  clearTimeout(s.timer);
  clearTimeout(s.helpTimer);
}

// ---- What to show: the host's layer, or the one chosen here

/** The colours of the theme anew; false where they have not changed. */
function takeTheme(s) {
  const restyled = readTheme(s);
  if (restyled) fillPalettes(s);
  return restyled;
}

function restyle(s) {
  if (!takeTheme(s) || !s.header) return;
  buildStrip(s);
  s.redraw();
}

function receive(s, bytes) {
  const restyled = takeTheme(s);
  const payload = parse(bytes);
  const { header } = payload;
  s.data = bytes;
  cache.remember(payload);
  const sent = pageKey(header.maps.layer, header.maps.fields[0]);
  const outdated = s.requests.includes(sent) && s.requests.at(-1) !== sent;
  const moved = sent !== s.sent; // else the host, for another reason, sent again what it last knew
  const layers = JSON.stringify(header.layers);
  const rebuild = restyled || header.view !== s.header?.view || layers !== s.layers;
  if (s.requests.at(-1) === sent) s.requests = [];
  followElement(s, header);
  Object.assign(s, { header, layers, sent }, picturesOf(payload));
  const exists = header.layers.some((layer) => layer.name === s.layer);
  if (!exists || (moved && !outdated)) {
    s.layer = header.maps.layer;
    s.first = header.maps.fields[0];
    s.page = { layer: s.layer, first: s.first };
  }
  if (rebuild) buildStrip(s);
  fillElements(s);
  const waiting = s.requests.at(-1) === pageKey(s.layer, s.first);
  show(s, { request: !waiting });
}

function followElement(s, header) {
  const names = header.transforms.map((transform) => transform.name);
  const given = names.includes(header.current) ? header.current : names[0];
  if (!names.includes(s.element) || header.current !== s.header?.current) s.element = given;
}

function chooseLayer(s, name, { first = s.firsts.get(name) ?? 0, delay = 0 } = {}) {
  if (name === s.layer && first === s.first) return;
  Object.assign(s, { layer: name, first, isChosenHere: true });
  s.firsts.set(name, first);
  show(s, { delay });
}

/** The maps of the chosen layer where they are known; else a skeleton, and a request. */
function show(s, { delay = 0, request = true } = {}) {
  clearTimeout(s.timer);
  markChosen(s);
  s.host.onShow?.(s.layer, Boolean(s.isChosenHere));
  s.entry = recall(s);
  s.el.viewer.classList.toggle("waiting", !s.entry);
  s.el.viewer.setAttribute("aria-busy", String(!s.entry));
  if (s.entry) draw(s);
  else {
    writeTitle(s);
    if (request) s.timer = setTimeout(() => requestLayer(s), delay);
  }
}

/** The chosen page from the cache, or from the host's last payload, which the cache may have forgotten. */
function recall(s) {
  const known = () => cache.recall(s.header.view, s.layer, s.first);
  if (!known() && s.sent === pageKey(s.layer, s.first)) cache.remember(parse(s.data));
  return known();
}

function requestLayer(s) {
  s.requests.push(pageKey(s.layer, s.first));
  const knownFirst = s.page?.layer === s.layer ? s.page.first : 0;
  if (knownFirst !== s.first) {
    s.page = { layer: s.layer, first: s.first };
    s.host.onPage?.(s.page);
  }
  s.host.onLayer?.(s.layer);
}
