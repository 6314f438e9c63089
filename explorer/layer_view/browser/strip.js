// The strip: one tile for each call of a layer, with its own and its inherited error.

import { h, segmented } from "./elements.js";
import { helpButton, hideTip, showTip } from "./help.js";
import { paintPicture } from "./painting.js";
import { errorColour, height } from "./pure/colours.js";
import { grouped, isWide, judgedElements, largestError, worstStatus } from "./pure/layers.js";
import { kindOf, number, side, sizeText } from "./pure/words.js";

const KEY_DELAY_MS = 160; // a held arrow key passes over many layers: only the one it stops at is asked for

const STRIP_HELP =
  "Each column is a layer, from the picture on the left to the logits on the right. The taller a bar, the larger the " +
  "error, on a log scale; a flat line is rounding. “own” is the error that the layer makes by itself, “inherited” the " +
  "error that has built up so far. Choose a layer to see its maps: click it, or use the arrow keys.";
const STRIP_CHOICES = [
  {
    value: "all",
    content: "largest",
    said: "largest of all quarter turns and mirrors",
    help: "Bars show the largest error over all quarter turns and mirrors that count for the verdict.",
  },
  {
    value: "one",
    content: "of chosen g",
    said: "of the chosen element g",
    help: "Bars show the error under the one element g that is chosen beside the maps.",
  },
];

export function stripFrame(s) {
  const key = (name, text, help) =>
    h("span", { class: "key", "data-help": help }, h("i", { class: name }), text);
  const choice = segmented(s, "strip", "Errors of", STRIP_CHOICES, s.strip, (value) => {
    s.strip = value;
    buildStrip(s);
  });
  s.el.scale = h("span", {
    class: "key",
    "data-help":
      "Relative error: the length of Φ(g·x) − ρ(g)Φ(x) divided by the length of Φ(x). 1 means as large as the maps.",
  });
  s.el.layers = h("div", { class: "layers", role: "radiogroup", "aria-label": "Layers of the network" });
  s.el.layers.onkeydown = (event) => stripKey(s, event);
  s.el.layers.onscroll = () => hideTip(s);
  s.el.thumb = h("canvas", { class: "thumb", role: "img" });
  const laneName = (text, help) => h("b", { "data-help": help }, text);
  const names = [
    laneName("inherited", "The error of Φ(g·x): of this layer and all layers before it together."),
    laneName("own", "The error of this layer alone, on the features of the upright picture."),
  ];
  const lanes = h("div", { class: "lane-names" }, h("div", {}, s.el.thumb, " →"), names);
  const legend = [
    s.el.scale,
    key("cross", "breaks by itself", "The layer’s own grid or weights do not survive g, whatever came before."),
    key("hatch", "no action", "The network’s group does not contain g: there is nothing to compare."),
  ];
  return h(
    "section",
    { class: "strip", "aria-label": "Errors of all layers" },
    h(
      "div",
      { class: "bar" },
      h("span", { class: "legend" }, legend),
      h("span", { class: "push field" }, "error", choice, helpButton(s, "the strip", STRIP_HELP)),
    ),
    h("div", { class: "strip-body" }, lanes, s.el.layers),
  );
}

export function buildStrip(s) {
  const { layers } = s.header;
  const focused = s.el.layers.contains(s.root.getRootNode().activeElement);
  s.el.layers.classList.toggle("dense", layers.length > 75);
  s.tiles = new Map();
  let last = null;
  const groups = grouped(layers).map(([group, blocks]) => {
    const parts = blocks.map(([block, members]) => {
      const tiles = members.map((layer) => {
        const changed = last === null || side(last) !== side(layer.out_hw);
        last = layer.out_hw;
        return tile(s, layer, changed);
      });
      return h(
        "div",
        { class: "block", style: `flex-grow:${tiles.length}` },
        h("span", { class: "block-name" }, block),
        h("div", { class: "tiles" }, tiles),
      );
    });
    const units = blocks.reduce((sum, [, members]) => sum + members.length, 0);
    return h(
      "div",
      { class: "group", style: `flex-grow:${units}` },
      h("span", { class: "group-name", title: group }, group),
      h("div", { class: "blocks" }, parts),
    );
  });
  groups.at(-1).firstChild.append(h("span", {}, " → logits"));
  s.el.layers.replaceChildren(...groups);
  paintPicture(s.el.thumb, s.picture, "the picture that enters the network");
  fillScale(s);
  markChosen(s);
  if (focused) s.tiles.get(s.layer)?.focus({ preventScroll: true });
}

function fillScale(s) {
  const stops = Array.from({ length: 7 }, (_, i) => errorColour(s.sequential, i / 6)).join(",");
  const ramp = h("i", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` });
  s.el.scale.replaceChildren(
    "relative error ",
    h("b", {}, `≤ ${number(s.header.tolerance, 1)}`),
    ramp,
    h("b", {}, "1"),
  );
}

/** Names of the elements whose errors the strip shows: all that the verdict is about, or the chosen one. */
const shownElements = (s) => (s.strip === "one" ? [s.element] : judgedElements(s.header));

function tile(s, layer, changed) {
  const elements = shownElements(s);
  const own = largestError(layer.own, elements);
  const inherited = largestError(layer.error, elements);
  const status = worstStatus(layer.status, elements);
  const said = { broken: ", breaks by itself", undecided: ", undecided by itself" }[status] ?? "";
  const under = elements.length === 1 ? "" : `, the largest of ${elements.length} elements`;
  const errors = `own error ${number(own)}, inherited error ${number(inherited)}${under}`;
  const label = `${layer.name}, ${kindOf(layer)}, ${sizeText(layer)}, ${errors}${said}`;
  const button = h(
    "button",
    {
      type: "button",
      role: "radio",
      class: `tile ${isWide(layer) ? "wide" : "tick"}`,
      "aria-label": label,
      "aria-checked": "false",
      tabindex: "-1",
    },
    lane(s, inherited),
    lane(s, own),
    h("span", { class: "sign" }, { broken: "✕", undecided: "?" }[status] ?? ""),
    h("span", { class: "side" }, changed ? side(layer.out_hw) : ""),
  );
  button.onclick = () => {
    hideTip(s); // it would cover what was asked for
    s.chooseLayer(layer.name);
  };
  button.onpointerenter = (event) => event.pointerType === "mouse" && showTip(s, button, layer);
  button.onpointerleave = () => hideTip(s);
  button.onfocus = () => button.matches(":focus-visible") && showTip(s, button, layer);
  button.onblur = () => hideTip(s);
  s.tiles.set(layer.name, button);
  return button;
}

function lane(s, error) {
  if (error === null) return h("span", { class: "lane hatch" });
  const t = Number.isNaN(Number(error)) ? 1 : height(error, s.header.tolerance);
  return h(
    "span",
    { class: "lane" },
    h("i", { style: `height:max(2px,${100 * t}%);background:${errorColour(s.sequential, t)}` }),
  );
}

export function markChosen(s) {
  for (const [name, button] of s.tiles ?? []) {
    button.setAttribute("aria-checked", String(name === s.layer));
    button.tabIndex = name === s.layer ? 0 : -1;
  }
  const chosen = s.tiles?.get(s.layer);
  if (!chosen) return;
  const box = s.el.layers; // scrolled by hand: scrollIntoView would also scroll the page
  const middle = chosen.offsetLeft - (box.clientWidth - chosen.offsetWidth) / 2;
  const hidden =
    chosen.offsetLeft - 20 < box.scrollLeft ||
    chosen.offsetLeft + chosen.offsetWidth + 20 > box.scrollLeft + box.clientWidth;
  if (hidden) box.scrollTo({ left: middle, behavior: calm() ? "auto" : "smooth" });
}

const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function stripKey(s, event) {
  const names = [...s.tiles.keys()];
  const at = names.indexOf(s.layer);
  const target = {
    ArrowRight: at + 1,
    ArrowDown: at + 1,
    ArrowLeft: at - 1,
    ArrowUp: at - 1,
    Home: 0,
    End: names.length - 1,
  }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  const name = names[Math.min(Math.max(target, 0), names.length - 1)];
  s.chooseLayer(name, { delay: KEY_DELAY_MS });
  s.tiles.get(name).focus({ preventScroll: true }); // which shows its tip
}
