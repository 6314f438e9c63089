// The frame of the viewer: title, pictures, controls, empty panels.

const MAPS_HELP =
  "Each small square is one channel of the layer: a row is a field, a column an element of the group. Φ(x) comes from the " +
  "picture x, Φ(g·x) from its transform g·x; the third panel turns the second back. If the layer is equivariant, the first " +
  "and the third agree and the difference is empty. Point at a pixel to read its values; click a map to see it larger.";
const SCALE_CHOICES = [
  {
    value: "layer",
    content: "layer",
    help: "One scale of colours for all maps of the layer: strong and weak fields can be compared.",
  },
  {
    value: "field",
    content: "field",
    help: "A scale of colours for each field, and for each frequency of it: weak fields become visible too. All three panels still share it.",
  },
];
const PALETTE_HELP = {
  "orange–blue": "Orange is below zero, blue above; the colour of the page is zero.",
  "purple–green": "Purple is below zero, green above; the colour of the page is zero.",
  grey: "Black is the lowest value, white the highest; grey is zero.",
};

function viewerFrame(s) {
  const { el } = s;
  el.title = h("h3", { "aria-live": "polite" });
  el.facts = h("p", { class: "facts" });
  el.pictures = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
  const frame = (canvas, text) =>
    h("figure", {}, h("div", { class: "frame" }, canvas), h("figcaption", {}, text));
  const turn = plainButton("turn the picture", "Plays the transform once more, from x to g·x.", () =>
    turnPicture(s, true),
  );
  el.elements = h("div", { class: "field" });
  el.paletteField = h("div", { class: "field" });
  const controls = h(
    "div",
    { class: "controls" },
    frame(el.pictures[0], "x"),
    h("span", { class: "arrow" }, "→"),
    frame(el.pictures[1], "g·x"),
    h("div", { class: "options" }, el.elements, h("div", { class: "row" }, turn, el.paletteField, pagingFrame(s))),
  );
  el.readout = h("div", { class: "readout", "aria-live": "off" });
  const stage = h(
    "div",
    { class: "stage" },
    panelsFrame(s),
    scalesFrame(s),
    vectorsFrame(s),
    el.readout,
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

function panelsFrame(s) {
  s.el.atlases = PANELS.map(([title, note], panel) => {
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
  });
  s.el.panels = h(
    "div",
    { class: "panels", tabindex: "0", role: "group", "aria-label": "Feature maps" },
    s.el.atlases.map((atlas) => atlas.box),
  );
  explained(s.el.panels, "Arrow keys go up and down the fields, left and right through the channels of one.", {
    onlyKeys: true,
  });
  s.el.panels.onkeydown = (event) => atlasKey(s, event);
  return s.el.panels;
}

/** A canvas with two marks over it: the pixel under the pointer, and the chosen tile. */
function board(s, panel, locate) {
  const canvas = h("canvas", { role: "img" });
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
  parts[0].prepend(h("span", { class: "field" }, "scale", scaleChoice(s)));
  parts[1].append(stretchChoice(s));
  return h("div", { class: "scales" }, parts);
}

function scaleChoice(s) {
  return segmented(s, "scale", "Scale of the colours", SCALE_CHOICES, s.scale, (value) => {
    s.scale = value;
    draw(s);
  });
}

function stretchChoice(s) {
  const help = "Gives the difference a scale of its own, up to its largest value: even rounding becomes visible.";
  const stretch = h("input", { type: "checkbox", onchange: () => ((s.stretch = stretch.checked), draw(s)) });
  stretch.setAttribute("aria-description", help);
  return h("label", { class: "check", "data-help": help }, stretch, "stretch");
}

function largeFrame(s) {
  s.el.large = PANELS.map(([title], panel) => {
    const one = board(s, panel, (event) => largePixel(s, panel, event));
    one.text = h("span");
    one.box = h("figure", {}, one.sheet, h("figcaption", {}, title, one.text));
    return one;
  });
  s.el.largeTitle = h("h4", { "aria-live": "polite" });
  s.el.largeScale = h("span", { class: "note" });
  const open = plainButton("Open large", "Opens this channel as a chart that fills the window.", () => openLarge(s));
  const row = h(
    "div",
    { class: "large-row", tabindex: "0", role: "group", "aria-label": "Pixels of the chosen channel" },
    s.el.large.map((one) => one.box),
  );
  explained(row, "Arrow keys go from pixel to pixel; the values are read out above.", { onlyKeys: true });
  row.onkeydown = (event) => pixelKey(s, event);
  row.onblur = () => {
    s.el.readout.setAttribute("aria-live", "off");
    point(s, 0, null);
  };
  return h(
    "div",
    { class: "large" },
    h("div", { class: "large-head" }, s.el.largeTitle, s.el.largeScale, open),
    row,
  );
}

const openLarge = (s) =>
  s.setTriggerValue("enlarge", {
    layer: s.layer,
    channel: s.entry.maps.first_channel + s.channel,
    transform: s.element,
  });

const elementsKey = (s) => JSON.stringify([s.element, s.header.transforms.map(({ name, label }) => [name, label])]);

function fillElements(s) {
  const options = s.header.transforms.map(({ name, label }) => ({
    value: name,
    content: label,
    help: `Compares the maps of the picture with those of its transform ${label}; ⟲ is counterclockwise.`,
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
  if (s.entry) draw(s);
}

function fillPalettes(s) {
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
      if (s.entry) draw(s);
    }),
  );
}

/** The buttons stay while pages change, and with them the focus. */
function pagingFrame(s) {
  const turnPage = (direction) => {
    const { fields, page } = s.entry.maps;
    const first = direction < 0 ? Math.max(fields[0] - page, 0) : fields[1] + 1;
    if (s.el.pages[direction < 0 ? 0 : 1].ariaDisabled !== "true") chooseLayer(s, s.layer, { first });
  };
  const why = "The layer is too large to be sent at once.";
  s.el.pages = [
    plainButton("previous fields", `Shows the fields before these. ${why}`, () => turnPage(-1)),
    plainButton("next fields", `Shows the fields after these. ${why}`, () => turnPage(1)),
  ];
  s.el.pagesShown = h("span");
  s.el.paging = h("div", { class: "field paging" }, s.el.pages[0], s.el.pagesShown, s.el.pages[1]);
  return s.el.paging;
}

function fillPaging(s) {
  const { fields, total_fields: total } = s.entry.maps;
  const ends = [fields[0] === 0, fields[1] === total - 1];
  s.el.paging.hidden = ends[0] && ends[1];
  s.el.pages.forEach((button, at) => (button.ariaDisabled = String(ends[at])));
  s.el.pagesShown.textContent = `fields ${fields[0] + 1} to ${fields[1] + 1} of ${total}`;
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

function paintPicture(canvas, { hw: [rows, columns], rgb: colours }, said) {
  canvas.setAttribute("aria-label", `${said}, ${rows}×${columns} px`);
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
