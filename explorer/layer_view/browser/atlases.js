// The four panels: an atlas of all channels each.

import { board, chooseChannel } from "./chosen.js";
import { explained, h } from "./elements.js";
import { deviceRatio, fitCanvas, paintMaps } from "./painting.js";
import { ARROWS, tileOf, writeReadout } from "./pointing.js";
import { GAP, placeAt } from "./pure/layout.js";
import { largest, scaleEnd } from "./pure/values.js";
import { atlasText, channelText, PANELS } from "./pure/words.js";

const NARROW_LABEL = 28; // CSS pixels

export function panelsFrame(s) {
  s.el.atlases = PANELS.map((_, panel) => atlasFrame(s, panel));
  s.el.panels = h(
    "div",
    { class: "panels", tabindex: "0", role: "group", "aria-label": "Feature maps" },
    s.el.atlases.map((atlas) => atlas.box),
  );
  explained(s.el.panels, "Arrow keys move up and down through the fields, left and right through the channels of a field.", {
    onlyKeys: true,
  });
  s.el.panels.onkeydown = (event) => atlasKey(s, event);
  return s.el.panels;
}

function atlasFrame(s, panel) {
  const [title, note] = PANELS[panel];
  const atlas = board(s, panel, (event) => atlasPixel(s, panel, event));
  atlas.columns = h("div", { class: "columns", "aria-hidden": "true" });
  atlas.note = h("span", { class: "note" }, note);
  atlas.message = h("p", { class: "message" });
  atlas.scroll = h(
    "div",
    { class: "scroll", role: "group", "aria-label": `${title}, scrolls with the other panels` },
    atlas.sheet,
    atlas.message,
  );
  atlas.scroll.onscroll = () =>
    s.el.atlases.forEach((other) => (other.scroll.scrollTop = atlas.scroll.scrollTop));
  atlas.box = h(
    "figure",
    { class: "panel" },
    h("figcaption", {}, h("b", {}, title), atlas.note, atlas.columns),
    atlas.scroll,
  );
  return atlas;
}

export function drawAtlases(s) {
  s.el.atlases.forEach((atlas, panel) => drawAtlas(s, atlas, panel));
}

function drawAtlas(s, atlas, panel) {
  const shown = s.pass[panel];
  const { width, height, room } = s.grid;
  fillLabels(s, atlas);
  atlas.box.classList.toggle("empty", !shown);
  const zero = shown && largest(shown) === 0;
  atlas.message.textContent = shown ? (zero && panel < 3 ? "all zero" : "") : noAction(s);
  atlas.note.textContent = panel === 3 && zero ? "none: equal to the last bit" : PANELS[panel][1];
  if (s.narrow && height > room) atlas.scroll.setAttribute("tabindex", "0");
  else atlas.scroll.removeAttribute("tabindex");
  const context = fitCanvas(atlas.canvas, width, height);
  atlas.canvas.setAttribute("aria-label", atlasText(panel, shown, s.entry.maps));
  if (shown) paintAtlas(s, context, panel);
}

function paintAtlas(s, context, panel) {
  const ratio = deviceRatio();
  const { slots } = s.entry;
  const stretch = panel === 3 && s.stretch;
  paintMaps(
    context,
    s.pass[panel],
    s.table,
    slots.map((_, channel) => channel),
    (channel) => scaleEnd(s.ends, slots[channel].part, { stretch }),
    (channel) => tileOf(s, panel, channel).map((x) => Math.round(x * ratio)),
  );
}

function fillLabels(s, atlas) {
  const { cell, size, labels } = s.grid;
  const step = cell[1] * size + GAP;
  atlas.columns.classList.toggle("narrow", step < NARROW_LABEL);
  atlas.columns.replaceChildren(
    ...labels.map((line) =>
      h(
        "div",
        {},
        line.map((label) => h("span", { style: `width:${step}px` }, label)),
      ),
    ),
  );
}

function noAction(s) {
  const { label, shift_px: shift } = s.header.transforms.find(({ name }) => name === s.element);
  if (shift)
    return `Nothing to compare: ${label} px is not a whole number of this layer’s steps, or the border influences every pixel.`;
  return `No action: ${s.header.group ? `a ${s.header.group} network` : "this network"} says nothing about ${label} here.`;
}

function atlasPixel(s, panel, event) {
  if (!s.pass[panel]) return null;
  const box = s.el.atlases[panel].canvas.getBoundingClientRect();
  return placeAt(s.grid, s.pass[panel].hw, event.clientX - box.left, event.clientY - box.top);
}

function atlasKey(s, event) {
  const step = ARROWS[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const { places } = s.grid;
  const { row, column } = places[s.channel];
  const channel = places.findIndex((place) => place.row === row + step[0] && place.column === column + step[1]);
  if (channel < 0) return;
  chooseChannel(s, channel);
  writeReadout(s, channelText(s.entry, channel), [null, null, null, null]);
  const { scroll } = s.el.atlases[0];
  const [, top, , height] = tileOf(s, 0, channel);
  for (const box of [scroll, s.el.panels]) {
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight - 60)
      box.scrollTop = top + height - box.clientHeight + 60;
  }
}
