// The viewer: the maps of the chosen layer, with all that is around them.

import { drawAtlases, panelsFrame } from "./atlases.js";
import { drawVectors, vectorsFrame } from "./bars.js";
import { choicesFrame, fillPaging } from "./choices.js";
import { drawLarge, largeFrame, LARGEST_SIDE } from "./chosen.js";
import { h } from "./elements.js";
import { helpButton } from "./help.js";
import { deviceRatio } from "./painting.js";
import { point, readoutFrame } from "./pointing.js";
import { lookup } from "./pure/colours.js";
import { layout } from "./pure/layout.js";
import { passOf, scaleEnds } from "./pure/values.js";
import { fieldsText, kindOf, number, reason, samplingText, sizeText } from "./pure/words.js";
import { drawScales, scalesFrame } from "./scales.js";

const MAPS_HELP =
  "Each small square is one channel of the layer: a row is a field, a column an element of the group. Φ(x) comes from the " +
  "picture x, Φ(g·x) from its transform g·x; the third panel turns the second back. If the layer is equivariant, the " +
  "first and the third agree and the difference is zero. Point at a pixel to read its values; click a map to see it larger.";

export function viewerFrame(s) {
  const { el } = s;
  el.title = h("h3", { "aria-live": "polite" });
  el.facts = h("p", { class: "facts" });
  const controls = choicesFrame(s);
  const stage = h(
    "div",
    { class: "stage" },
    panelsFrame(s),
    scalesFrame(s),
    vectorsFrame(s),
    readoutFrame(s),
    largeFrame(s),
  );
  el.viewer = h(
    "section",
    { class: "viewer", "aria-label": "Maps of the chosen layer" },
    h("div", { class: "title-row" }, el.title, helpButton(s, "the maps", MAPS_HELP)),
    el.facts,
    controls,
    stage,
  );
  return el.viewer;
}

/** Draws the maps of `s.entry` under the chosen element. */
export function draw(s) {
  measureRoom(s);
  const { el, entry } = s;
  s.channel = s.channel < entry.maps.channels ? s.channel : 0;
  s.hover = null;
  s.table = lookup(s.palettes[s.palette]);
  writeTitle(s);
  fillPaging(s);
  el.viewer.classList.toggle("pooled", !entry.maps.hw);
  s.pass = passOf(entry, s.element);
  if (entry.maps.hw) {
    s.ends = scaleEnds(entry, s.pass, s.scale);
    s.grid = layout(entry.maps, { width: s.atlasWidth, height: s.panelHeight, ratio: deviceRatio() });
    drawAtlases(s);
    drawScales(s);
    drawLarge(s);
  } else drawVectors(s);
  point(s, 0, null);
}

/** Reads all widths before anything is written: layout happens once. */
function measureRoom(s) {
  const { panels, atlases, large } = s.el;
  const { scroll } = atlases[0];
  s.width = panels.clientWidth;
  s.atlasWidth = scroll.clientWidth - 12;
  s.largeWidth = Math.min((large[0].box.clientWidth || 208) - 8, LARGEST_SIDE);
  s.narrow = getComputedStyle(scroll).overflowY === "auto"; // then each panel scrolls, else all do together
  const wide = parseFloat(getComputedStyle(s.root).getPropertyValue("--panel-height"));
  s.panelHeight = s.narrow && scroll.clientHeight ? scroll.clientHeight - 5 : wide;
}

export function writeTitle(s) {
  const layer = s.header.layers.find(({ name }) => name === s.layer);
  const { label } = s.header.transforms.find(({ name }) => name === s.element);
  const errors = `under ${label}: own error ${number(layer.own[s.element])}, inherited ${number(layer.error[s.element])}`;
  const fields = s.entry ? `${fieldsText(s.entry.maps)}, ` : "";
  s.el.title.replaceChildren(h("code", {}, layer.name), ` — ${kindOf(layer)}, ${sizeText(layer)}, ${fields}${errors}`);
  s.el.facts.textContent =
    [reason(layer, layer.status[s.element]), samplingText(layer)].filter(Boolean).join(": ") || " ";
}
