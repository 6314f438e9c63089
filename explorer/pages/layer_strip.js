// The strip: one tile for each call of a layer, with its own and its inherited error.

function stripFrame(s) {
  const key = (name, text) => h("span", { class: "key" }, h("i", { class: name }), text);
  const choice = segmented(
    s,
    "strip",
    "Errors of",
    [
      ["all", "largest", "largest of all quarter turns and mirrors"],
      ["one", "of chosen g", "of the chosen element g"],
    ],
    s.strip,
    (value) => {
      s.strip = value;
      buildStrip(s);
    },
  );
  s.el.scale = h("span", { class: "key" });
  s.el.layers = h("div", { class: "layers", role: "radiogroup", "aria-label": "Layers of the network" });
  s.el.layers.onkeydown = (event) => stripKey(s, event);
  s.el.layers.onscroll = () => hideTip(s);
  s.el.thumb = h("canvas", { class: "thumb", role: "img", "aria-label": "the picture" });
  const lane = (text, title) => h("b", { title }, text);
  const names = [
    lane("inherited", "error of Φ(g·x), from this layer and all before it"),
    lane("own", "error of this layer alone"),
  ];
  const lanes = h("div", { class: "lane-names" }, h("div", {}, s.el.thumb, " →"), names);
  const legend = [s.el.scale, key("cross", "breaks by itself"), key("hatch", "no action")];
  return h(
    "section",
    { class: "strip", "aria-label": "Errors of all layers" },
    h(
      "div",
      { class: "bar" },
      h("span", { class: "legend" }, legend),
      h("span", { class: "push field" }, "error", choice),
    ),
    h("div", { class: "strip-body" }, lanes, s.el.layers),
  );
}

/** The layers as [[group, [[block, [layer, …]], …]], …]: runs of equal first and second parts of the name. */
function grouped(layers) {
  const groups = [];
  for (const layer of layers) {
    const parts = layer.name.split(".");
    const block = parts.length > 2 ? parts[1] : "";
    if (groups.at(-1)?.[0] !== parts[0]) groups.push([parts[0], []]);
    const blocks = groups.at(-1)[1];
    if (blocks.at(-1)?.[0] !== block) blocks.push([block, []]);
    blocks.at(-1)[1].push(layer);
  }
  return groups;
}

/** Whether a layer mixes pixels, channels or fields, rather than treating each value by itself. */
const isWide = (layer) =>
  Boolean(layer.kernel) ||
  side(layer.in_hw) !== side(layer.out_hw) ||
  /linear|conv|pool|length/i.test(layer.kind);

function buildStrip(s) {
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
  paintPicture(s.el.thumb, s.picture);
  fillScale(s);
  markChosen(s);
  if (focused) s.tiles.get(s.layer)?.focus({ preventScroll: true });
}

function fillScale(s) {
  const stops = Array.from({ length: 7 }, (_, i) => errorColour(s, i / 6)).join(",");
  const ramp = h("i", { class: "ramp", style: `background:linear-gradient(90deg,${stops})` });
  s.el.scale.replaceChildren(
    "relative error ",
    h("b", {}, `≤ ${number(s.header.tolerance, 1)}`),
    ramp,
    h("b", {}, "1"),
  );
}

/** Names of the elements whose errors the strip shows: all of the group that the verdict is about, or the chosen one. */
function shownElements(s) {
  if (s.strip === "one") return [s.element];
  const judged = new Set(s.header.layers.flatMap((layer) => Object.keys(layer.status)));
  const shown = s.header.transforms.filter(({ name }) => judged.has(name)); // the verdict is about these alone
  return (shown.length ? shown : s.header.transforms).map(({ name }) => name);
}

/** The largest of the shown errors; null where nothing is compared. */
function shownError(s, errors) {
  const values = shownElements(s)
    .map((name) => errors[name])
    .filter((v) => v !== null && v !== undefined);
  return values.length
    ? values.reduce((a, b) => (Number(b) > Number(a) || Number.isNaN(Number(b)) ? b : a))
    : null;
}

function shownStatus(s, layer) {
  const values = shownElements(s).map((name) => layer.status[name]);
  return ["broken", "undecided"].find((status) => values.includes(status));
}

function tile(s, layer, changed) {
  const own = shownError(s, layer.own);
  const inherited = shownError(s, layer.error);
  const status = shownStatus(s, layer);
  const said = { broken: ", breaks by itself", undecided: ", undecided by itself" }[status] ?? "";
  const label = `${layer.name}, ${kindOf(layer)}, ${sizeText(layer)}, own error ${number(own)}, inherited error ${number(inherited)}${said}`;
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
    chooseLayer(s, layer.name);
  };
  button.onpointerenter = (event) => event.pointerType === "mouse" && showTip(s, button, layer);
  button.onpointerleave = () => hideTip(s);
  button.onblur = () => hideTip(s);
  s.tiles.set(layer.name, button);
  return button;
}

function lane(s, error) {
  if (error === null) return h("span", { class: "lane hatch" });
  const t = Number.isNaN(Number(error)) ? 1 : height(s, error);
  return h(
    "span",
    { class: "lane" },
    h("i", { style: `height:max(2px,${100 * t}%);background:${errorColour(s, t)}` }),
  );
}

function markChosen(s) {
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
  chooseLayer(s, name, { delay: KEY_DELAY_MS });
  s.tiles.get(name).focus({ preventScroll: true });
  showTip(
    s,
    s.tiles.get(name),
    s.header.layers.find((layer) => layer.name === name),
  );
}

function showTip(s, button, layer) {
  const rows = s.header.transforms.map(({ name, label }) => {
    const status =
      { broken: "✕ breaks", undecided: "? undecided", exact: "exact", "no action": "no action" }[
        layer.status[name]
      ] ?? "";
    return h(
      "tr",
      {},
      h("th", {}, label),
      h("td", {}, number(layer.own[name])),
      h("td", {}, number(layer.error[name])),
      h("td", {}, status),
    );
  });
  const head = h(
    "tr",
    {},
    ["", "own", "inherited", "by itself"].map((text) => h("th", {}, text)),
  );
  const facts = [`${kindOf(layer)}, ${sizeText(layer)}`, samplingText(layer)].filter(Boolean);
  s.el.tip.replaceChildren(
    h("strong", {}, layer.name),
    ...facts.map((text) => h("div", {}, text)),
    h("table", {}, head, rows),
  );
  s.el.tip.hidden = false;
  const [tile, root] = [button.getBoundingClientRect(), s.root.getBoundingClientRect()];
  const left = tile.left - root.left + tile.width / 2 - s.el.tip.offsetWidth / 2;
  s.el.tip.style.left = `${Math.min(Math.max(left, 0), Math.max(root.width - s.el.tip.offsetWidth, 0))}px`;
  s.el.tip.style.top = `${tile.bottom - root.top + 6}px`;
}

function hideTip(s) {
  s.el.tip.hidden = true;
}
