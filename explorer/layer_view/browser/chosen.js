// The chosen channel, large, in each of the four panels.

import { explained, h, plainButton } from "./elements.js";
import { deviceRatio, fitCanvas, paintMaps } from "./painting.js";
import {
  ARROWS,
  point,
  setMark,
  speak,
  stopSpeaking,
  tileOf,
  transformedPlace,
  uprightPlace,
} from "./pointing.js";
import { inside } from "./pure/carrying.js";
import { pixelSize } from "./pure/layout.js";
import { largest } from "./pure/values.js";
import { capital, channelText, largeText, number, PANELS } from "./pure/words.js";

export const LARGEST_SIDE = 248; // CSS pixels of the chosen channel

/** A canvas with two marks over it: the pixel under the pointer, and the chosen tile. */
export function board(s, panel, locate) {
  const canvas = h("canvas", { role: "img" });
  const [hover, chosen] = [
    h("i", { class: "mark pixel", hidden: "" }),
    h("i", { class: "mark chosen", hidden: "" }),
  ];
  const sheet = h("div", { class: "sheet" }, canvas, chosen, hover);
  sheet.onpointermove = sheet.onpointerdown = (event) => point(s, panel, locate(event));
  sheet.onpointerleave = (event) => event.pointerType === "mouse" && point(s, panel, null); // a tap's values stay
  sheet.onclick = (event) => {
    const at = locate(event);
    if (at) chooseChannel(s, uprightPlace(s, panel, at).channel);
  };
  return { canvas, hover, chosen, sheet };
}

export function largeFrame(s) {
  s.el.large = PANELS.map(([title], panel) => {
    const one = board(s, panel, (event) => largePixel(s, panel, event));
    one.text = h("span");
    one.box = h("figure", {}, one.sheet, h("figcaption", {}, title, one.text));
    return one;
  });
  s.el.largeTitle = h("h4", { "aria-live": "polite" });
  s.el.largeScale = h("span", { class: "note" });
  const open = plainButton("Open large", "Opens this channel as a chart that fills the window.", () => openLarge(s));
  const row = h(
    "div",
    { class: "large-row", tabindex: "0", role: "group", "aria-label": "Pixels of the chosen channel" },
    s.el.large.map((one) => one.box),
  );
  explained(row, "Arrow keys move from pixel to pixel; the values are read out above.", { onlyKeys: true });
  row.onkeydown = (event) => pixelKey(s, event);
  row.onblur = () => {
    stopSpeaking(s);
    point(s, 0, null);
  };
  return h(
    "div",
    { class: "large" },
    h("div", { class: "large-head" }, s.el.largeTitle, s.el.largeScale, open),
    row,
  );
}

const openLarge = (s) =>
  s.host.onEnlarge?.({
    layer: s.layer,
    channel: s.entry.maps.first_channel + s.channel,
    transform: s.element,
  });

export function chooseChannel(s, channel) {
  s.channel = channel;
  drawLarge(s);
}

/** The channel of a panel that belongs to the chosen one. */
const channelIn = (s, panel) =>
  panel === 1 ? transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel : s.channel;

export function drawLarge(s) {
  s.el.largeTitle.textContent = capital(channelText(s.entry, s.channel));
  const channels = PANELS.map((_, panel) => channelIn(s, panel));
  const [upright, transformed, , difference] = channels.map((channel, panel) =>
    largest(s.pass[panel], channel, 1),
  );
  const most = Math.max(upright, transformed); // one channel may be much weaker than the layer: a scale of its own
  const ends = [most, most, most, s.stretch ? difference : most];
  s.el.largeScale.textContent = `colours from ${number(-most)} to ${number(most)}`;
  s.el.large.forEach((one, panel) => {
    const shown = s.pass[panel];
    one.text.textContent =
      panel === 3 && shown ? `, largest ${number(difference)}${s.stretch ? ", stretched" : ""}` : "";
    one.canvas.setAttribute("aria-label", largeText(panel, shown, s.entry, channels[panel]));
    drawOne(s, one, shown, channels[panel], ends[panel]);
    setMark(s.el.atlases[panel].chosen, shown && tileOf(s, panel, channels[panel]));
  });
}

function drawOne(s, one, shown, channel, end) {
  const [H, W] = shown?.hw ?? s.entry.maps.hw;
  const { cell } = s.grid;
  one.size = pixelSize(s.largeWidth / Math.max(...cell), cell, deviceRatio());
  one.box.classList.toggle("empty", !shown);
  const context = fitCanvas(one.canvas, W * one.size, H * one.size);
  const whole = () => [0, 0, one.canvas.width, one.canvas.height];
  if (shown) paintMaps(context, shown, s.table, [channel], () => end, whole);
}

function largePixel(s, panel, event) {
  const { canvas, size } = s.el.large[panel];
  const box = canvas.getBoundingClientRect();
  if (!s.pass[panel]) return null;
  return inside(s.pass[panel].hw, {
    channel: channelIn(s, panel),
    y: Math.floor((event.clientY - box.top) / size),
    x: Math.floor((event.clientX - box.left) / size),
  });
}

/** Moves the marked pixel of the chosen channel, and has its values read out. */
function pixelKey(s, event) {
  const step = ARROWS[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const [H, W] = s.pass[0].hw;
  const from = s.hover?.channel === s.channel ? s.hover : null;
  const at = from
    ? { channel: s.channel, y: from.y + step[0], x: from.x + step[1] }
    : { channel: s.channel, y: (H - 1) >> 1, x: (W - 1) >> 1 };
  if (!inside(s.pass[0].hw, at)) return;
  speak(s);
  point(s, 0, at);
}
