// Words and numbers: what is written above and beside the maps.

import { extremes } from "./values.js";

/** Title and note of each panel. */
export const PANELS = [
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

/** A number in few signs: "0.12", "1.2e-7", "−∞"; "—" for none. */
export function number(value, digits = 2) {
  if (value === null || value === undefined) return "—";
  const x = Number(value); // "Infinity" and "NaN" come as strings
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x < 0 ? "−∞" : "∞";
  const size = Math.abs(x);
  let text;
  if (size === 0) text = "0";
  else if (size < 0.01 || size >= 10 ** Math.max(digits, 3)) text = x.toExponential(digits - 1);
  else text = size >= 10 ** digits - 0.5 ? x.toFixed(0) : x.toPrecision(digits);
  return text.replace("-", x < 0 && text.startsWith("-") ? "−" : "-").replace("e+", "e");
}

export const side = ([h, w]) => (h === w ? `${h}` : `${h}×${w}`);
export const sides = ([h, w]) => `${h}×${w}`;
export const kindOf = (layer) => KINDS[layer.kind] ?? layer.kind;

export function pixels(value) {
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

export function samplingText(layer) {
  if (!layer.kernel) return "";
  const parts = [`kernel ${pairText(layer.kernel)}`, `stride ${pairText(layer.stride)}`];
  parts.push(`padding ${pairText(layer.padding)}`, `remainder ${pairText(layer.remainder)}`);
  parts.push(`displacement ${pairText(layer.displacement_px, pixels)} px`);
  return parts.join(", ");
}

export function sizeText({ in_hw: before, out_hw: after }) {
  if (side(before) === "1" && side(after) === "1") return "no pixels";
  return sides(before) === sides(after) ? sides(after) : `${sides(before)} → ${sides(after)}`;
}

/** Why a layer breaks by itself, or may; nothing where it does not. */
export function reason(layer, status) {
  if (status === "undecided") return "? Undecided by itself: its padding merges with the next layer’s";
  if (status !== "broken") return "";
  return layer.weight_error > 0
    ? "✕ Breaks by itself: its weights do not commute with g"
    : "✕ Breaks by itself: its grid is displaced";
}

export function fieldsText({ fields, total_fields: total }) {
  const shown = fields[1] - fields[0] + 1;
  return shown === total
    ? `${total} ${total === 1 ? "field" : "fields"}`
    : `${shown} of ${total} fields shown`;
}

export function channelText({ slots, maps }, channel) {
  const { field, index, run } = slots[channel];
  const column = maps.runs[run].columns[index];
  return `field ${field + 1}${column ? `, ${column}` : ""}`;
}

export const capital = (text) => text[0].toUpperCase() + text.slice(1);

export const rangeText = ([low, high]) => `values from ${number(low)} to ${number(high)}`;

/** What a panel shows, for those who do not see it; `shown` as of passOf. */
export function atlasText(panel, shown, { channels, runs }) {
  if (!shown) return `${PANELS[panel].join(", ")}: nothing to compare`;
  const fields = runs.reduce((sum, { count }) => sum + count, 0);
  const maps = `${channels} maps of ${sides(shown.hw)} px in ${fields} ${fields === 1 ? "field" : "fields"}`;
  return `${PANELS[panel].join(", ")}: ${maps}, ${rangeText(extremes(shown))}`;
}

/** The same for the chosen channel, seen large. */
export function largeText(panel, shown, entry, channel) {
  if (!shown) return `${PANELS[panel][0]}: nothing to compare`;
  const range = rangeText(extremes(shown, channel, 1));
  return `${PANELS[panel][0]}, ${channelText(entry, channel)}: ${sides(shown.hw)} px, ${range}`;
}
