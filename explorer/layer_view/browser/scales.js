// The scales of colours below the panels.

import { h, segmented } from "./elements.js";
import { number } from "./pure/words.js";

const SCALE_CHOICES = [
  {
    value: "layer",
    content: "layer",
    help: "One colour scale for all maps of the layer: strong and weak fields can be compared.",
  },
  {
    value: "field",
    content: "field",
    help: "A colour scale for each field, and for each frequency in it: weak fields become visible, too. All three panels share it.",
  },
];

export function scalesFrame(s) {
  const bar = () => ({ low: h("b"), ramp: h("i", { class: "ramp" }), high: h("b"), text: h("span") });
  s.el.scales = [bar(), bar()];
  const parts = s.el.scales.map(({ low, ramp, high, text }) =>
    h("div", { class: "scale" }, h("span", { class: "key" }, low, ramp, high), text),
  );
  parts[0].prepend(h("span", { class: "field" }, "scale", scaleChoice(s)));
  parts[1].append(stretchChoice(s));
  return h("div", { class: "scales" }, parts);
}

function scaleChoice(s) {
  return segmented(s, "scale", "Colour scale", SCALE_CHOICES, s.scale, (value) => {
    s.scale = value;
    s.redraw();
  });
}

function stretchChoice(s) {
  const help = "Gives the difference its own scale, up to its largest value, so that even rounding becomes visible.";
  const stretch = h("input", { type: "checkbox" });
  stretch.onchange = () => {
    s.stretch = stretch.checked;
    s.redraw();
  };
  stretch.setAttribute("aria-description", help);
  return h("label", { class: "check", "data-help": help }, stretch, "stretch");
}

export function drawScales(s) {
  const { layerMost, layerMostDifference, byPart, frequencies } = s.ends;
  const gradient = `linear-gradient(90deg,${s.palettes[s.palette].join(",")})`;
  const ends = [layerMost, s.stretch ? layerMostDifference : layerMost];
  s.el.scales.forEach((scale, at) => {
    scale.low.textContent = byPart ? "−largest" : number(-ends[at]);
    scale.high.textContent = byPart ? "largest" : number(ends[at]);
    scale.ramp.style.background = gradient;
  });
  const each = frequencies ? "each frequency of a field" : "each field";
  s.el.scales[0].text.textContent = byPart ? `own scale for ${each}, the same in all three` : "one scale for all three";
  const rounding = layerMostDifference <= s.header.tolerance * layerMost ? ", rounding" : "";
  s.el.scales[1].text.textContent = s.pass[3] ? `largest ${number(layerMostDifference)}${rounding}` : "";
}
