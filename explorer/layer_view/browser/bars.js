// Layers without pixels, drawn as bars: one row for each transform.

import { explained, h } from "./elements.js";
import { fitCanvas } from "./painting.js";
import { speak, stopSpeaking, writeReadout } from "./pointing.js";
import { errorColour } from "./pure/colours.js";
import { extremes, largest, passOf, valueAt } from "./pure/values.js";
import { channelText, number, rangeText } from "./pure/words.js";

const BAR_ROW = 56; // CSS pixels

export function vectorsFrame(s) {
  s.el.vectorLegend = h("p", { class: "facts" });
  s.el.vectorRows = h("div", { tabindex: "0", role: "group", "aria-label": "Channels without pixels" });
  explained(s.el.vectorRows, "Arrow keys move from channel to channel; the values are read out below.", {
    onlyKeys: true,
  });
  s.el.vectorRows.onkeydown = (event) => vectorKey(s, event);
  s.el.vectorRows.onblur = () => stopSpeaking(s);
  s.el.vectors = h("div", { class: "vectors" }, s.el.vectorLegend, s.el.vectorRows);
  return s.el.vectors;
}

export function drawVectors(s) {
  const rows = s.header.transforms.map((transform) => vectorRow(s, transform));
  const most = Math.max(...rows.map(({ pass }) => Math.max(largest(pass[0]), largest(pass[1]))));
  s.el.vectorLegend.textContent = `Bars: g⁻¹Φ(g·x), channel by channel, all from ${number(-most)} to ${number(most)}. Lines: Φ(x).`;
  s.el.vectorRows.replaceChildren(...rows.map(({ row }) => row));
  rows.forEach(({ canvas, pass }) => drawBars(s, canvas, pass, most || 1));
  writeReadout(s, null, []);
}

function vectorRow(s, { name, label }) {
  const pass = passOf(s.entry, name);
  const note = pass[3] ? `largest difference ${number(largest(pass[3]))}` : "no action";
  const said = `${label}: ${s.entry.maps.channels} channels, ${rangeText(extremes(pass[2] ?? pass[1]))}, ${note}`;
  const canvas = h("canvas", { role: "img", "aria-label": said });
  canvas.onpointermove = (event) =>
    vectorValues(s, pass, label, Math.floor((event.offsetX / canvas.clientWidth) * s.entry.maps.channels));
  canvas.onpointerleave = () => writeReadout(s, null, []);
  const current = name === s.element ? " current" : "";
  const row = h("div", { class: `vector${current}` }, h("b", {}, label), canvas, h("span", {}, note));
  return { row, canvas, pass };
}

function drawBars(s, canvas, [upright, transformed, realigned], most) {
  const [width, height] = [canvas.clientWidth, BAR_ROW];
  const context = fitCanvas(canvas, width, height);
  canvas.style.width = "";
  context.scale(canvas.width / width, canvas.height / height);
  const bars = (realigned ?? transformed).values;
  const step = width / bars.length;
  const y = (value) => height / 2 - (Math.min(Math.max(value || 0, -most), most) / most) * (height / 2 - 2);
  context.fillStyle = errorColour(s.sequential, 0.35);
  bars.forEach((value, i) =>
    context.fillRect(
      i * step + step * 0.12,
      Math.min(y(value), height / 2),
      step * 0.76,
      Math.abs(y(value) - height / 2),
    ),
  );
  context.fillStyle = s.text;
  upright.values.forEach((value, i) => context.fillRect(i * step, y(value) - 0.75, step, 1.5));
  context.globalAlpha = 0.4;
  context.fillRect(0, height / 2 - 0.5, width, 1);
}

function vectorValues(s, pass, label, channel) {
  if (channel < 0 || channel >= s.entry.maps.channels) return;
  const values = pass.map((part) => part && valueAt(part, { channel }));
  writeReadout(s, `${label}, ${channelText(s.entry, channel)}`, values);
}

function vectorKey(s, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !s.entry || s.entry.maps.hw) return;
  event.preventDefault();
  s.channel = Math.min(Math.max(s.channel + step, 0), s.entry.maps.channels - 1);
  speak(s);
  const { label } = s.header.transforms.find(({ name }) => name === s.element);
  vectorValues(s, passOf(s.entry, s.element), label, s.channel);
}
