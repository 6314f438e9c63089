// Colours, and the frame of the viewer: title, pictures, controls, empty panels.

// ---- Colours

function readTheme(s) {
  const style = getComputedStyle(s.root);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const theme = ["background-color", "text-color", "chart-sequential-colors", "chart-diverging-colors"].map(
    read,
  );
  if (theme.join("|") === s.theme) return false;
  s.theme = theme.join("|");
  const [red, green, blue] = rgb(theme[0]);
  const dark = 0.3 * red + 0.6 * green + 0.1 * blue < 128;
  s.text = theme[1];
  s.sequential = theme[2].split(",").map(rgb);
  const own = theme[3].split(",");
  own.splice(own.length / 2, 0, dark ? "#1a1d22" : "#f7f7f7"); // the theme gives ten colours and so no middle
  s.palettes = { "orange–blue": own, ...PALETTES[dark ? "dark" : "light"] };
  fillPalettes(s);
  return true;
}

function rgb(colour) {
  const hex = colour.trim().replace("#", "");
  if (/^[0-9a-f]{6}/i.test(hex)) return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return (colour.match(/[\d.]+/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
}

/** The colour at `t` (0..1) of a list of colours, as [red, green, blue]. */
function blend(colours, t) {
  const at = Math.min(Math.max(t, 0), 1) * (colours.length - 1);
  const low = Math.min(Math.floor(at), colours.length - 2);
  return colours[low].map((value, i) => Math.round(value + (at - low) * (colours[low + 1][i] - value)));
}

/** 513 colours for −1..1, each one 32-bit pixel; the last entry is for NaN. */
function lookup(colours) {
  const stops = colours.map(rgb);
  const table = new Uint32Array(514);
  for (let i = 0; i < 513; i++) {
    const [red, green, blue] = blend(stops, i / 512);
    table[i] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  table[513] = 0x00000000;
  return table;
}

/** Errors on a log scale: 0 at rounding, 1 at 1. */
function height(s, error) {
  const low = Math.log10(s.header.tolerance);
  return Math.min(Math.max(1 - Math.log10(Math.max(Number(error), 1e-30)) / low, 0), 1);
}

const errorColour = (s, t) => `rgb(${blend(s.sequential.slice(3, 8), t).join(",")})`;

// ---- The viewer's frame: title, pictures, controls

function viewerFrame(s) {
  const { el } = s;
  el.title = h("h3", { "aria-live": "polite" });
  el.facts = h("p", { class: "facts" });
  el.pictures = [
    h("canvas", { role: "img", "aria-label": "the picture" }),
    h("canvas", { role: "img", "aria-label": "the transformed picture" }),
  ];
  const frame = (canvas, text) =>
    h("figure", {}, h("div", { class: "frame" }, canvas), h("figcaption", {}, text));
  const turn = h(
    "button",
    { type: "button", class: "plain", onclick: () => turnPicture(s, true) },
    "turn the picture",
  );
  el.elements = h("div", { class: "field" });
  el.paletteField = h("div", { class: "field" });
  el.paging = h("div", { class: "field paging" });
  const controls = h(
    "div",
    { class: "controls" },
    frame(el.pictures[0], "x"),
    h("span", { class: "arrow" }, "→"),
    frame(el.pictures[1], "g·x"),
    h("div", { class: "options" }, el.elements, h("div", { class: "row" }, turn, el.paletteField, el.paging)),
  );
  el.readout = h("div", { class: "readout", "aria-live": "off" });
  el.vectors = h("div", { class: "vectors" });
  const stage = h(
    "div",
    { class: "stage" },
    panelsFrame(s),
    scalesFrame(s),
    el.vectors,
    el.readout,
    largeFrame(s),
  );
  el.viewer = h(
    "section",
    { class: "viewer", "aria-label": "Maps of the chosen layer" },
    el.title,
    el.facts,
    controls,
    stage,
  );
  return el.viewer;
}

function panelsFrame(s) {
  s.el.atlases = PANELS.map(([title, note], panel) => {
    const atlas = board(s, panel, (event) => atlasPixel(s, panel, event));
    atlas.columns = h("div", { class: "columns", "aria-hidden": "true" });
    atlas.note = h("span", { class: "note" }, note);
    atlas.message = h("p", { class: "message" });
    atlas.scroll = h("div", { class: "scroll" }, atlas.sheet, atlas.message);
    atlas.scroll.onscroll = () =>
      s.el.atlases.forEach((other) => (other.scroll.scrollTop = atlas.scroll.scrollTop));
    atlas.box = h(
      "figure",
      { class: "panel" },
      h("figcaption", {}, h("b", {}, title), atlas.note, atlas.columns),
      atlas.scroll,
    );
    return atlas;
  });
  s.el.panels = h(
    "div",
    {
      class: "panels",
      tabindex: "0",
      role: "group",
      "aria-label": "Feature maps: arrow keys choose a field and its channel",
    },
    s.el.atlases.map((atlas) => atlas.box),
  );
  s.el.panels.onkeydown = (event) => atlasKey(s, event);
  return s.el.panels;
}

/** A canvas with two marks over it: the pixel under the pointer, and the chosen tile. */
function board(s, panel, locate) {
  const canvas = h("canvas");
  const [hover, chosen] = [
    h("i", { class: "mark pixel", hidden: "" }),
    h("i", { class: "mark chosen", hidden: "" }),
  ];
  const sheet = h("div", { class: "sheet" }, canvas, chosen, hover);
  sheet.onpointermove = sheet.onpointerdown = (event) => point(s, panel, locate(event));
  sheet.onpointerleave = (event) => event.pointerType === "mouse" && point(s, panel, null); // a tap's values stay
  sheet.onclick = (event) => {
    const at = locate(event);
    if (at) chooseChannel(s, uprightPlace(s, panel, at).channel);
  };
  return { canvas, hover, chosen, sheet };
}

function scalesFrame(s) {
  const bar = () => ({ low: h("b"), ramp: h("i", { class: "ramp" }), high: h("b"), text: h("span") });
  s.el.scales = [bar(), bar()];
  const parts = s.el.scales.map(({ low, ramp, high, text }) =>
    h("div", { class: "scale" }, h("span", { class: "key" }, low, ramp, high), text),
  );
  const stretch = h("input", { type: "checkbox", onchange: () => ((s.stretch = stretch.checked), draw(s)) });
  parts[1].append(
    h(
      "label",
      { class: "check", title: "Give the difference a scale of its own, up to its largest value" },
      stretch,
      "stretch",
    ),
  );
  return h("div", { class: "scales" }, parts);
}

function largeFrame(s) {
  s.el.large = PANELS.map(([title], panel) => {
    const one = board(s, panel, (event) => largePixel(s, panel, event));
    one.text = h("span");
    one.box = h("figure", {}, one.sheet, h("figcaption", {}, title, one.text));
    return one;
  });
  s.el.largeTitle = h("h4");
  s.el.largeScale = h("span", { class: "note" });
  const open = h("button", { type: "button", class: "plain", onclick: () => openLarge(s) }, "Open large");
  return h(
    "div",
    { class: "large" },
    h("div", { class: "large-head" }, s.el.largeTitle, s.el.largeScale, open),
    h(
      "div",
      { class: "large-row" },
      s.el.large.map((one) => one.box),
    ),
  );
}

const openLarge = (s) =>
  s.setTriggerValue("enlarge", {
    layer: s.layer,
    channel: s.entry.maps.first_channel + s.channel,
    transform: s.element,
  });

function fillElements(s) {
  const options = s.header.transforms.map(({ name, label }) => [name, label]);
  const known = `${options}|${s.element}`;
  if (s.options !== known)
    s.el.elements.replaceChildren(
      "g",
      segmented(s, "element", "Element", options, s.element, (name) => chooseElement(s, name)),
    );
  s.options = known; // else the buttons stay, and with them the focus
  turnPicture(s, false);
}

function chooseElement(s, name) {
  s.element = name;
  s.options = `${s.header.transforms.map((transform) => [transform.name, transform.label])}|${name}`;
  if (s.strip === "one") buildStrip(s);
  turnPicture(s, false);
  if (s.entry) draw(s);
}

function fillPalettes(s) {
  const options = Object.entries(s.palettes).map(([name, colours]) => [
    name,
    h("i", { class: "swatch", style: `background:linear-gradient(90deg,${colours.join(",")})` }),
    name,
  ]);
  s.el.paletteField.replaceChildren(
    "colours",
    segmented(s, "palette", "Colours", options, s.palette, (name) => {
      s.palette = name;
      if (s.entry) draw(s);
    }),
  );
}

function fillPaging(s) {
  const { fields, total_fields: total, page } = s.entry.maps;
  const all = fields[0] === 0 && fields[1] === total - 1;
  const button = (text, first, enabled) =>
    h(
      "button",
      {
        type: "button",
        class: "plain",
        disabled: enabled ? null : "",
        onclick: () => chooseLayer(s, s.layer, { first }),
      },
      text,
    );
  const parts = [
    button("previous fields", Math.max(fields[0] - page, 0), fields[0] > 0),
    `fields ${fields[0] + 1} to ${fields[1] + 1} of ${total}`,
    button("next fields", fields[1] + 1, fields[1] < total - 1),
  ];
  s.el.paging.replaceChildren(...(all ? [] : parts));
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

// ---- The two pictures

function readPictures(s, { header, buffers }) {
  const read = ({ hw, offset }) => ({
    hw,
    rgb: new Uint8Array(buffers.slice(offset, offset + hw[0] * hw[1] * 3)),
  });
  const transformed = Object.entries(header.picture.transformed).map(([name, picture]) => [
    name,
    read(picture),
  ]);
  Object.assign(s, { picture: read(header.picture.upright), transformed: Object.fromEntries(transformed) });
}

function paintPicture(canvas, { hw: [rows, columns], rgb: colours }) {
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++)
    image.data.set([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2], 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  canvas.classList.toggle("tall", rows > columns);
}

/** Shows g·x; quarter turns and mirrors move before the eye, from x on if `again`. */
function turnPicture(s, again) {
  const canvas = s.el.pictures[1];
  const transform = s.header.transforms.find(({ name }) => name === s.element);
  const given = s.transformed[s.element];
  paintPicture(s.el.pictures[0], s.picture);
  paintPicture(canvas, given ?? s.picture);
  const moved = given ? "none" : `rotate(${-transform.turn_deg}deg) scaleX(${transform.mirrored ? -1 : 1})`;
  if (again) {
    canvas.style.transition = "none";
    canvas.style.transform = given ? `rotate(${transform.turn_deg}deg)` : "rotate(0deg) scaleX(1)";
    void canvas.offsetWidth; // the browser must see the start before the end is set
    canvas.style.transition = "";
  }
  canvas.style.transform = moved;
}
