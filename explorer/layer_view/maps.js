// The maps of the chosen layer, drawn: four panels of all channels, and the chosen channel below.

const SHEET_ROWS = 8192; // browsers limit the height of a canvas
const LARGEST_SIDE = 248; // CSS pixels of the chosen channel

function draw(s) {
  measureRoom(s);
  const { el, entry } = s;
  s.channel = s.channel < entry.maps.channels ? s.channel : 0;
  s.hover = null;
  s.table = lookup(s.palettes[s.palette]);
  writeTitle(s);
  fillPaging(s);
  el.viewer.classList.toggle("pooled", !entry.maps.hw);
  s.pass = passOf(s, s.element);
  if (!entry.maps.hw) drawVectors(s);
  else {
    measureScales(s);
    s.grid = layout(s);
    s.el.atlases.forEach((atlas, panel) => drawAtlas(s, atlas, panel));
    drawScales(s);
    drawLarge(s);
  }
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

const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/**
 * Draws channels of `values` (C, H, W) with colours from −most(channel) to most(channel), where `place(channel)` says:
 * [left, top, width, height] in device pixels.
 */
function paintMaps(context, { values, hw: [H, W] }, table, channels, most, place) {
  const chunk = Math.max(1, Math.floor(SHEET_ROWS / H));
  context.imageSmoothingEnabled = false;
  for (let start = 0; start < channels.length; start += chunk) {
    const part = channels.slice(start, start + chunk);
    const image = new ImageData(W, H * part.length);
    const colours = new Uint32Array(image.data.buffer);
    let at = 0;
    for (const channel of part) {
      const end = most(channel);
      const scale = end > 0 ? 256 / end : 0;
      for (let p = channel * H * W; p < (channel + 1) * H * W; p++) {
        const value = values[p];
        colours[at++] =
          table[value !== value ? 513 : Math.min(Math.max((256.5 + value * scale) | 0, 0), 512)];
      }
    }
    Object.assign(scratch.canvas, { width: W, height: H * part.length });
    scratch.putImageData(image, 0, 0);
    part.forEach((channel, n) => {
      const [left, top, width, height] = place(channel);
      context.imageSmoothingEnabled = width < W; // fewer device pixels than map pixels: average them
      context.drawImage(scratch.canvas, 0, n * H, W, H, left, top, width, height);
    });
  }
}

function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  return canvas.getContext("2d");
}

function drawAtlas(s, atlas, panel) {
  const shown = s.pass[panel];
  const { width, height, room, places } = s.grid;
  fillLabels(s, atlas);
  atlas.box.classList.toggle("empty", !shown);
  const zero = shown && largest(shown) === 0;
  atlas.message.textContent = shown ? (zero && panel < 3 ? "all zero" : "") : noAction(s);
  atlas.note.textContent = panel === 3 && zero ? "none: equal to the last bit" : PANELS[panel][1];
  const scrolls = s.narrow && height > room;
  scrolls ? atlas.scroll.setAttribute("tabindex", "0") : atlas.scroll.removeAttribute("tabindex");
  const context = fitCanvas(atlas.canvas, width, height);
  atlas.canvas.setAttribute("aria-label", atlasText(s, panel));
  if (!shown) return;
  const ratio = window.devicePixelRatio || 1;
  const channels = places.map((_, channel) => channel);
  const end = (channel) => scaleEnd(s, panel, channel);
  paintMaps(context, shown, s.table, channels, end, (channel) =>
    tileBox(s, panel, channel).map((x) => Math.round(x * ratio)),
  );
}

function fillLabels(s, atlas) {
  const { cell, size, labels } = s.grid;
  const step = cell[1] * size + GAP;
  atlas.columns.classList.toggle("narrow", step < 28);
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
    return `Nothing to compare: ${label} px is no whole number of steps of this layer, or no pixel is free of the border.`;
  return `No action: ${s.header.group ? `a ${s.header.group} network` : "this network"} says nothing about ${label} here.`;
}

function drawScales(s) {
  const gradient = `linear-gradient(90deg,${s.palettes[s.palette].join(",")})`;
  const ends = [s.layerMost, s.stretch ? s.layerMostDifference : s.layerMost];
  s.el.scales.forEach((scale, at) => {
    scale.low.textContent = s.byPart ? "−largest" : number(-ends[at]);
    scale.high.textContent = s.byPart ? "largest" : number(ends[at]);
    scale.ramp.style.background = gradient;
  });
  const each = s.frequencies ? "each frequency of a field" : "each field";
  s.el.scales[0].text.textContent = s.byPart ? `${each} its own, the same in all three` : "one for the three";
  const rounding = s.layerMostDifference <= s.header.tolerance * s.layerMost ? ", rounding" : "";
  s.el.scales[1].text.textContent = s.pass[3] ? `largest ${number(s.layerMostDifference)}${rounding}` : "";
}

function drawLarge(s) {
  s.el.largeTitle.textContent = capital(channelText(s, s.channel));
  const carried = transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel;
  const channels = [s.channel, carried, s.channel, s.channel];
  const [upright, transformed, , difference] = channels.map((channel, panel) =>
    largest(s.pass[panel], channel, 1),
  );
  const most = Math.max(upright, transformed); // one channel may be much weaker than the layer: a scale of its own
  const ends = [most, most, most, s.stretch ? difference : most];
  s.el.largeScale.textContent = `colours from ${number(-most)} to ${number(most)}`;
  s.el.large.forEach((one, panel) => {
    const shown = s.pass[panel];
    one.text.textContent =
      panel === 3 && shown ? `, largest ${number(difference)}${s.stretch ? ", stretched" : ""}` : "";
    one.canvas.setAttribute("aria-label", largeText(s, panel, channels[panel]));
    drawOne(s, one, shown, channels[panel], ends[panel]);
    setMark(s.el.atlases[panel].chosen, shown && tileBox(s, panel, channels[panel]));
  });
}

function drawOne(s, one, shown, channel, end) {
  const [H, W] = shown?.hw ?? s.entry.maps.hw;
  const { cell } = s.grid;
  one.size = pixelSize(s.largeWidth / Math.max(...cell), cell);
  one.box.classList.toggle("empty", !shown);
  const context = fitCanvas(one.canvas, W * one.size, H * one.size);
  const whole = () => [0, 0, one.canvas.width, one.canvas.height];
  if (shown) paintMaps(context, shown, s.table, [channel], () => end, whole);
}
