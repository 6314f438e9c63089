// Help: what a control does, in plain words, while it is pointed at or reached with the keyboard.

import { explained, h } from "./elements.js";
import { kindOf, number, samplingText, sizeText } from "./pure/words.js";

const HELP_DELAY_MS = 450; // a pointer on its way elsewhere opens nothing

/** A round "?" that opens `text` on a tap as well, for those who have no pointer to rest on a control. */
export function helpButton(s, name, text) {
  const button = h("button", { type: "button", class: "help", "aria-label": `Help: ${name}` }, "?");
  button.onclick = () => (s.helped === button ? hideTip(s) : showHelp(s, button, text));
  return explained(button, text);
}

/** The tip, one for all of a view. */
export function tipFrame(s) {
  s.el.tip = h("div", { class: "tip", role: "tooltip", hidden: "" });
  return s.el.tip;
}

export function watchHelp(s) {
  const { root } = s;
  const pointed = (event) => event.pointerType === "mouse" && event.target.closest("[data-help]");
  root.addEventListener("pointerover", (event) => {
    const element = pointed(event);
    if (!element || element === s.helped) return;
    clearTimeout(s.helpTimer);
    s.helpTimer = setTimeout(() => showHelp(s, element, element.dataset.help), HELP_DELAY_MS);
  });
  root.addEventListener("pointerout", (event) => {
    const element = pointed(event);
    if (element && !element.contains(event.relatedTarget)) hideHelp(s);
  });
  root.addEventListener("focusin", ({ target }) => {
    const element = target.matches(":focus-visible") && target.closest("[data-help], [data-help-on-keys]");
    if (element) showHelp(s, element, element.dataset.help ?? element.dataset.helpOnKeys);
  });
  root.addEventListener("focusout", () => hideHelp(s));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || s.el.tip.hidden) return;
    event.stopPropagation(); // Escape closes one thing at a time
    hideTip(s);
  });
}

function showHelp(s, element, text) {
  s.el.tip.replaceChildren(text);
  s.helped = element;
  placeTip(s, element);
}

function hideHelp(s) {
  clearTimeout(s.helpTimer);
  if (s.helped) hideTip(s);
}

/** Below `element`, above it where the window ends, or at the top of one that fills the window. */
function placeTip(s, element) {
  const { tip } = s.el;
  tip.hidden = false;
  const [box, root] = [element.getBoundingClientRect(), s.root.getBoundingClientRect()];
  const left = box.left - root.left + box.width / 2 - tip.offsetWidth / 2;
  const below = box.bottom + 6 + tip.offsetHeight <= window.innerHeight;
  const top = below ? box.bottom + 6 : Math.max(box.top - 6 - tip.offsetHeight, 60);
  tip.style.left = `${Math.min(Math.max(left, 0), Math.max(root.width - tip.offsetWidth, 0))}px`;
  tip.style.top = `${top - root.top}px`;
}

export function hideTip(s) {
  s.el.tip.hidden = true;
  s.helped = null;
}

// ---- The tip of a layer: its facts and its errors under every element

export function showTip(s, button, layer) {
  const words = { broken: "✕ breaks", undecided: "? undecided", exact: "exact", "no action": "no action" };
  const row = (tag, cells) =>
    h(
      "tr",
      {},
      cells.map((text, at) => h(at ? tag : "th", {}, text)),
    );
  const rows = s.header.transforms.map(({ name, label }) =>
    row("td", [label, number(layer.own[name]), number(layer.error[name]), words[layer.status[name]] ?? ""]),
  );
  const facts = [`${kindOf(layer)}, ${sizeText(layer)}`, samplingText(layer)].filter(Boolean);
  s.el.tip.replaceChildren(
    h("strong", {}, layer.name),
    ...facts.map((text) => h("div", {}, text)),
    h("table", {}, row("th", ["", "own", "inherited", "by itself"]), rows),
  );
  placeTip(s, button);
}
