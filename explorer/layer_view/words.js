// Words and numbers: what is written above and beside the maps.

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

function writeTitle(s) {
  const layer = s.header.layers.find(({ name }) => name === s.layer);
  const errors = `own error ${number(layer.own[s.element])}, inherited ${number(layer.error[s.element])}`;
  s.el.title.replaceChildren(
    h("code", {}, layer.name),
    ` — ${kindOf(layer)}, ${sizeText(layer)}, ${fieldsText(s.entry)}${errors}`,
  );
  s.el.facts.textContent =
    [reason(layer, layer.status[s.element]), samplingText(layer)].filter(Boolean).join(": ") || " ";
}

function reason(layer, status) {
  if (status === "undecided") return "? Undecided by itself, its padding merges with the next layer’s";
  if (status !== "broken") return "";
  return layer.weight_error > 0
    ? "✕ Breaks by itself, its weights do not commute with g"
    : "✕ Breaks by itself, its grid is displaced";
}

function fieldsText(entry) {
  if (!entry) return "";
  const { fields, total_fields: total } = entry.maps;
  const shown = fields[1] - fields[0] + 1;
  return shown === total
    ? `${total} ${total === 1 ? "field" : "fields"}, `
    : `${shown} of ${total} fields shown, `;
}


function channelText(s, channel) {
  const { field, index, run } = s.entry.slots[channel];
  const column = s.entry.maps.runs[run].columns[index];
  return `field ${field + 1}${column ? `, ${column}` : ""}`;
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);

const rangeText = ([low, high]) => `values from ${number(low)} to ${number(high)}`;

/** What a panel shows, for those who do not see it. */
function atlasText(s, panel) {
  const { channels, runs } = s.entry.maps;
  const shown = s.pass[panel];
  if (!shown) return `${PANELS[panel].join(", ")}: nothing to compare`;
  const fields = runs.reduce((sum, { count }) => sum + count, 0);
  const maps = `${channels} maps of ${sides(shown.hw)} px in ${fields} ${fields === 1 ? "field" : "fields"}`;
  return `${PANELS[panel].join(", ")}: ${maps}, ${rangeText(extremes(shown))}`;
}

function largeText(s, panel, channel) {
  const shown = s.pass[panel];
  if (!shown) return `${PANELS[panel][0]}: nothing to compare`;
  const range = rangeText(extremes(shown, channel, 1));
  return `${PANELS[panel][0]}, ${channelText(s, channel)}: ${sides(shown.hw)} px, ${range}`;
}
