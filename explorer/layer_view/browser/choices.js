// What is chosen above the maps: the element g beside its picture, the colours, the page of fields.

import { h, plainButton, segmented } from "./elements.js";
import { paintPicture } from "./painting.js";
import { buildStrip } from "./strip.js";

const PALETTE_HELP = {
  "orange–blue": "Orange is below zero, blue is above; zero has the colour of the page.",
  "purple–green": "Purple is below zero, green is above; zero has the colour of the page.",
  grey: "Black is the lowest value, white is the highest; zero is grey.",
};

export function choicesFrame(s) {
  const { el } = s;
  el.pictures = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
  const frame = (canvas, text) =>
    h("figure", {}, h("div", { class: "frame" }, canvas), h("figcaption", {}, text));
  const turn = plainButton("turn the picture", "Plays the transform again, from x to g·x.", () =>
    turnPicture(s, true),
  );
  el.elements = h("div", { class: "field" });
  el.paletteField = h("div", { class: "field" });
  return h(
    "div",
    { class: "controls" },
    frame(el.pictures[0], "x"),
    h("span", { class: "arrow" }, "→"),
    frame(el.pictures[1], "g·x"),
    h("div", { class: "options" }, el.elements, h("div", { class: "row" }, turn, el.paletteField, pagingFrame(s))),
  );
}

// ---- The element

const elementsKey = (s) => JSON.stringify([s.element, s.header.transforms.map(({ name, label }) => [name, label])]);

export function fillElements(s) {
  const options = s.header.transforms.map(({ name, label }) => ({
    value: name,
    content: label,
    help: `Compares the maps of the picture with those of its transform ${label}; ⟲ means counterclockwise.`,
  }));
  if (s.options !== elementsKey(s))
    s.el.elements.replaceChildren(
      "g",
      segmented(s, "element", "Element", options, s.element, (name) => chooseElement(s, name)),
    );
  s.options = elementsKey(s); // else the buttons stay, and with them the focus
  turnPicture(s, false);
}

function chooseElement(s, name) {
  s.element = name;
  s.options = elementsKey(s);
  if (s.strip === "one") buildStrip(s);
  turnPicture(s, false);
  s.redraw();
}

/** Shows g·x; quarter turns and mirrors move before the eye, from x on if `again`. */
function turnPicture(s, again) {
  const canvas = s.el.pictures[1];
  const transform = s.header.transforms.find(({ name }) => name === s.element);
  const given = s.transformed[s.element];
  paintPicture(s.el.pictures[0], s.picture, "x, the picture");
  paintPicture(canvas, given ?? s.picture, `g·x, the picture under ${transform.label}`);
  const moved = given ? "none" : `rotate(${-transform.turn_deg}deg) scaleX(${transform.mirrored ? -1 : 1})`;
  if (again) {
    canvas.style.transition = "none";
    canvas.style.transform = given ? `rotate(${transform.turn_deg}deg)` : "rotate(0deg) scaleX(1)";
    void canvas.offsetWidth; // the browser must see the start before the end is set
    canvas.style.transition = "";
  }
  canvas.style.transform = moved;
}

// ---- The colours

export function fillPalettes(s) {
  const options = Object.entries(s.palettes).map(([name, colours]) => ({
    value: name,
    content: h("i", { class: "swatch", style: `background:linear-gradient(90deg,${colours.join(",")})` }),
    said: name,
    help: PALETTE_HELP[name],
  }));
  s.el.paletteField.replaceChildren(
    "colours",
    segmented(s, "palette", "Colours", options, s.palette, (name) => {
      s.palette = name;
      s.redraw();
    }),
  );
}

// ---- The page

/** The buttons stay while pages change, and with them the focus. */
function pagingFrame(s) {
  const turnPage = (direction) => {
    const { fields, page } = s.entry.maps;
    const first = direction < 0 ? Math.max(fields[0] - page, 0) : fields[1] + 1;
    if (s.el.pages[direction < 0 ? 0 : 1].ariaDisabled !== "true") s.chooseLayer(s.layer, { first });
  };
  const why = "The layer is too large to be sent in one piece.";
  s.el.pages = [
    plainButton("previous fields", `Shows the fields before these. ${why}`, () => turnPage(-1)),
    plainButton("next fields", `Shows the fields after these. ${why}`, () => turnPage(1)),
  ];
  s.el.pagesShown = h("span");
  s.el.paging = h("div", { class: "field paging" }, s.el.pages[0], s.el.pagesShown, s.el.pages[1]);
  return s.el.paging;
}

export function fillPaging(s) {
  const { fields, total_fields: total } = s.entry.maps;
  const ends = [fields[0] === 0, fields[1] === total - 1];
  s.el.paging.hidden = ends[0] && ends[1];
  s.el.pages.forEach((button, at) => (button.ariaDisabled = String(ends[at])));
  s.el.pagesShown.textContent = `fields ${fields[0] + 1} to ${fields[1] + 1} of ${total}`;
}
