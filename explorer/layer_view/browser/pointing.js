// Pointing: the marks in all panels, and the values under the pointer or the arrow keys.

import { h } from "./elements.js";
import { carry, inside } from "./pure/carrying.js";
import { tileBox } from "./pure/layout.js";
import { valueAt } from "./pure/values.js";
import { channelText, number, PANELS } from "./pure/words.js";

export const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function readoutFrame(s) {
  s.el.readout = h("div", { class: "readout", "aria-live": "off" });
  return s.el.readout;
}

/** Reads the values out, also to screen readers, until the focus goes; not while a pointer moves: that would never end. */
export function speak(s) {
  s.el.readout.setAttribute("aria-live", "polite");
}

export function stopSpeaking(s) {
  s.el.readout.setAttribute("aria-live", "off");
}

function carried(s, place, back) {
  const [upright, transformed] = [s.pass[0].hw, s.pass[1].hw];
  const { slots, maps } = s.entry;
  const { realign } = maps.transforms[s.element];
  const transform = s.header.transforms.find(({ name }) => name === s.element);
  return carry(transform, { upright, transformed, picture: s.picture.hw, slots, realign }, place, back);
}

export const transformedPlace = (s, place) => carried(s, place, false);
export const uprightPlace = (s, panel, place) => (panel === 1 ? carried(s, place, true) : place);

/** The tile of a channel in the atlas of a panel, as of tileBox. */
export const tileOf = (s, panel, channel) => tileBox(s.grid, s.pass[panel]?.hw ?? s.entry.maps.hw, channel);

/** Marks a pixel (or nothing) in all panels, and reads its values. */
export function point(s, panel, at) {
  if (!s.entry?.maps.hw || s.el.viewer.classList.contains("waiting")) return;
  const upright = at && uprightPlace(s, panel, at);
  s.hover = upright;
  const places = s.pass.map((shown, p) =>
    upright && shown ? inside(shown.hw, p === 1 ? transformedPlace(s, upright) : upright) : null,
  );
  places.forEach((place, p) => markPixel(s, p, place, upright?.channel === s.channel));
  const values = places.map((place, p) => (place ? valueAt(s.pass[p], place) : null));
  writeReadout(
    s,
    upright && `${channelText(s.entry, upright.channel)}, row ${upright.y + 1}, column ${upright.x + 1}`,
    values,
  );
}

/** Marks `place` in the atlas of a panel, and in the chosen channel if it is one of its pixels. */
function markPixel(s, panel, place, isOfChosen) {
  const middle = (size) => place && [(place.x + 0.5) * size, (place.y + 0.5) * size];
  const one = s.el.large[panel];
  setMark(s.el.atlases[panel].hover, place && tileOf(s, panel, place.channel), middle(s.grid.size));
  const whole = ([H, W]) => [0, 0, W * one.size, H * one.size];
  setMark(one.hover, place && isOfChosen && whole(s.pass[panel].hw), middle(one.size));
}

export function writeReadout(s, where, values) {
  const cells = PANELS.map(([title], p) =>
    h("span", {}, `${title} `, h("b", {}, where ? number(values[p], p === 3 ? 2 : 4) : "")),
  );
  const what = s.entry.maps.hw ? "a pixel" : "a bar";
  s.el.readout.replaceChildren(h("span", {}, where || `Point at ${what} to read its values.`), ...cells);
}

/** Puts a mark over `box`, or hides it; with a `cross` at this place in it. */
export function setMark(mark, box, cross) {
  mark.hidden = !box;
  if (!box) return;
  ["left", "top", "width", "height"].forEach((name, i) => (mark.style[name] = `${box[i]}px`));
  if (cross) ["--x", "--y"].forEach((name, i) => mark.style.setProperty(name, `${cross[i]}px`));
}
