// The maps of the chosen layer: realigned, drawn, and read under the pointer.

// ---- Values

const floats = (entry, offset, channels, hw) =>
  new Float32Array(entry.buffers, offset, channels * (hw ? hw[0] * hw[1] : 1));

/** [Φ(x), Φ(g·x), g⁻¹Φ(g·x), difference] as {values, hw}; the last two null without an action. */
function passOf(s, name) {
  const { entry } = s;
  const { maps } = entry;
  const transform = maps.transforms[name];
  const upright = floats(entry, transform.upright_offset, maps.channels, maps.hw);
  const transformed = floats(entry, transform.offset, maps.channels, transform.hw);
  const realigned = realign(entry, transform, transformed);
  const difference = realigned && realigned.map((value, i) => value - upright[i]);
  const pack = (values, hw) => values && { values, hw };
  return [
    pack(upright, maps.hw),
    pack(transformed, transform.hw),
    pack(realigned, maps.hw),
    pack(difference, maps.hw),
  ];
}

function realign(entry, { realign: recipe, hw }, transformed) {
  const { maps, slots } = entry;
  if (!recipe) return null;
  if (recipe.kind === "given") return floats(entry, recipe.offset, maps.channels, maps.hw);
  const source = sourcePixels(recipe, hw, maps.hw);
  const area = source.length;
  const out = new Float32Array(transformed.length);
  slots.forEach(({ start, index, run }, channel) => {
    const { permutation, matrix } = recipe.mix[run];
    const weights = permutation
      ? [[permutation[index], 1]]
      : matrix[index].map((weight, j) => [j, weight]).filter(([, weight]) => weight);
    for (const [j, weight] of weights) {
      const from = (start + j) * area;
      for (let p = 0; p < area; p++) out[channel * area + p] += weight * transformed[from + source[p]];
    }
  });
  return out;
}

/** For each pixel of the realigned maps, the pixel of Φ(g·x) that lands there: mirrored first, then turned. */
function sourcePixels({ turns, mirrored }, from, to) {
  if (!from) return Uint32Array.of(0);
  const [H, W] = from;
  const source = new Uint32Array(to[0] * to[1]);
  for (let i = 0, p = 0; i < to[0]; i++) {
    for (let j = 0; j < to[1]; j++, p++) {
      const [y, x] = [
        [i, j],
        [j, W - 1 - i],
        [H - 1 - i, W - 1 - j],
        [H - 1 - j, i],
      ][turns];
      source[p] = y * W + (mirrored ? W - 1 - x : x);
    }
  }
  return source;
}

function largest(values) {
  let most = 0;
  for (const value of values ?? [])
    if (Math.abs(value) > most && Math.abs(value) !== Infinity) most = Math.abs(value);
  return most;
}

// ---- Drawing

function draw(s) {
  const { el, entry } = s;
  s.width = el.panels.clientWidth; // all widths are read before anything is written: layout happens once
  s.atlasWidth = el.atlases[0].scroll.clientWidth - 12;
  s.largeWidth = Math.min((el.large[0].box.clientWidth || 208) - 8, 248);
  s.channel = s.channel < entry.maps.channels ? s.channel : 0;
  s.hover = null;
  s.table = lookup(s.palettes[s.palette]);
  writeTitle(s);
  fillPaging(s);
  el.viewer.classList.toggle("pooled", !entry.maps.hw);
  s.pass = passOf(s, s.element);
  s.most = Math.max(largest(s.pass[0].values), largest(s.pass[1].values));
  s.mostDifference = largest(s.pass[3]?.values);
  if (!entry.maps.hw) drawVectors(s);
  else {
    s.grid = layout(s);
    s.el.atlases.forEach((atlas, panel) => drawAtlas(s, atlas, panel));
    drawScales(s);
    drawLarge(s);
  }
  point(s, 0, null);
}

/** Where each channel's tile lies, and how large: {columns, rows, cell (map pixels), size (CSS pixels a map pixel), places}. */
function layout(s) {
  const { maps } = s.entry;
  const shapes = [maps.hw, ...Object.values(maps.transforms).map(({ hw }) => hw)];
  const cell = [0, 1].map((axis) => Math.max(...shapes.map((hw) => hw[axis]))); // one for all: nothing moves with g
  const width = s.atlasWidth;
  const room = parseFloat(getComputedStyle(s.root).getPropertyValue("--panel-height"));
  const most = Math.max(...maps.runs.map(({ size }) => size));
  const columns = most > 1 ? most : scalarColumns(maps.channels, cell, width, room);
  const places = [];
  let row = 0;
  for (const { size, count } of maps.runs) {
    const across = size > 1 ? size : columns;
    for (let n = 0; n < size * count; n++) places.push([row + Math.floor(n / across), n % across]);
    row += Math.ceil((size * count) / across);
  }
  return {
    columns,
    rows: row,
    cell,
    size: pixelSize((width - GAP * (columns - 1)) / columns / cell[1], cell),
    places,
  };
}

/** The fewest columns (at most 8) with which all scalar fields are seen without scrolling. */
function scalarColumns(count, cell, width, room) {
  for (let columns = 1; columns < Math.min(8, count); columns++) {
    const tileHeight = (Math.min((width - GAP * (columns - 1)) / columns, 128) * cell[0]) / cell[1];
    if (Math.ceil(count / columns) * (tileHeight + GAP) <= room) return columns;
  }
  return Math.min(8, count);
}

/** CSS pixels for a map pixel: whole device pixels where that wastes little room, so that all look alike. */
function pixelSize(available, cell) {
  const ratio = window.devicePixelRatio || 1;
  const exact = Math.min(available, 128 / Math.max(...cell)) * ratio;
  const whole = Math.floor(exact);
  return (whole >= 0.85 * exact ? whole : Math.floor(exact * cell[1]) / cell[1]) / ratio;
}

const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Draws channels of `values` (C, H, W) where `place(channel)` says: [left, top, width, height] in device pixels. */
function paintMaps(context, { values, hw: [H, W] }, table, most, channels, place) {
  const scale = most > 0 ? 256 / most : 0;
  const chunk = Math.max(1, Math.floor(SHEET_ROWS / H));
  context.imageSmoothingEnabled = false;
  for (let start = 0; start < channels.length; start += chunk) {
    const part = channels.slice(start, start + chunk);
    const image = new ImageData(W, H * part.length);
    const colours = new Uint32Array(image.data.buffer);
    let at = 0;
    for (const channel of part) {
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

const mostOf = (s, panel) => (panel === 3 && s.stretch ? s.mostDifference : s.most);

function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  return canvas.getContext("2d");
}

function drawAtlas(s, atlas, panel) {
  const shown = s.pass[panel];
  const { columns, rows, cell, size } = s.grid;
  const [stepX, stepY] = [cell[1] * size + GAP, cell[0] * size + GAP];
  const labels = s.entry.maps.runs.reduce((a, b) => (b.size > a.size ? b : a)).columns;
  atlas.columns.classList.toggle("narrow", stepX < 28);
  atlas.columns.replaceChildren(...labels.map((label) => h("span", { style: `width:${stepX}px` }, label)));
  atlas.box.classList.toggle("empty", !shown);
  atlas.message.textContent = shown
    ? largest(shown.values) === 0 && panel < 3
      ? "all zero"
      : ""
    : noAction(s);
  const context = fitCanvas(atlas.canvas, columns * stepX - GAP, rows * stepY - GAP);
  atlas.note.textContent =
    panel === 3 && shown && largest(shown.values) === 0 ? "none: equal to the last bit" : PANELS[panel][1];
  if (!shown) return;
  const ratio = window.devicePixelRatio || 1;
  const all = s.grid.places.map((_, channel) => channel);
  paintMaps(context, shown, s.table, mostOf(s, panel), all, (channel) =>
    tileBox(s, panel, channel).map((x) => Math.round(x * ratio)),
  );
}

/** [left, top, width, height] of a channel's tile in CSS pixels; maps of another shape lie in the middle of the cell. */
function tileBox(s, panel, channel) {
  const { cell, size, places } = s.grid;
  const [row, column] = places[channel];
  const [H, W] = s.pass[panel]?.hw ?? s.entry.maps.hw;
  const left = column * (cell[1] * size + GAP) + ((cell[1] - W) * size) / 2;
  return [left, row * (cell[0] * size + GAP) + ((cell[0] - H) * size) / 2, W * size, H * size];
}

function noAction(s) {
  const { label, shift_px: shift } = s.header.transforms.find(({ name }) => name === s.element);
  if (shift)
    return `Nothing to compare: ${label} px is no whole number of steps of this layer, or no pixel is free of the border.`;
  return `No action: ${s.header.group ? `a ${s.header.group} network` : "this network"} says nothing about ${label} here.`;
}

function drawScales(s) {
  const gradient = `linear-gradient(90deg,${s.palettes[s.palette].join(",")})`;
  s.el.scales.forEach((scale, at) => {
    const most = mostOf(s, at ? 3 : 0);
    scale.low.textContent = number(-most);
    scale.high.textContent = number(most);
    scale.ramp.style.background = gradient;
  });
  s.el.scales[0].text.textContent = "one scale for the three";
  const rounding = s.mostDifference <= s.header.tolerance * s.most ? ", rounding" : "";
  s.el.scales[1].text.textContent = s.pass[3] ? `largest ${number(s.mostDifference)}${rounding}` : "";
}

function drawLarge(s) {
  const ratio = window.devicePixelRatio || 1;
  const { field, index, run } = s.entry.slots[s.channel];
  const column = s.entry.maps.runs[run].columns[index];
  s.el.largeTitle.textContent = `Field ${field + 1}${column ? `, ${column}` : ""}`;
  const carried = transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel;
  const channels = [s.channel, carried, s.channel, s.channel];
  const [upright, transformed, , difference] = channels.map((channel, panel) =>
    channelMost(s.pass[panel], channel),
  );
  const most = Math.max(upright, transformed); // one channel may be much weaker than the layer: a scale of its own
  const mosts = [most, most, most, s.stretch ? difference : most];
  s.el.largeScale.textContent = `colours from ${number(-most)} to ${number(most)}`;
  s.el.large.forEach((one, panel) => {
    const shown = s.pass[panel];
    one.text.textContent =
      panel === 3 && shown ? `, largest ${number(difference)}${s.stretch ? ", stretched" : ""}` : "";
    one.box.classList.toggle("empty", !shown);
    const [H, W] = shown?.hw ?? s.entry.maps.hw;
    const available = s.largeWidth / Math.max(...s.grid.cell);
    one.size = Math.max(Math.floor(available * ratio), 0) / ratio || available;
    const context = fitCanvas(one.canvas, W * one.size, H * one.size);
    const whole = () => [0, 0, one.canvas.width, one.canvas.height];
    if (shown) paintMaps(context, shown, s.table, mosts[panel], [channels[panel]], whole);
    setMark(s.el.atlases[panel].chosen, shown && tileBox(s, panel, channels[panel]));
  });
}

function channelMost(shown, channel) {
  const area = shown ? shown.hw[0] * shown.hw[1] : 0;
  return shown ? largest(shown.values.subarray(channel * area, (channel + 1) * area)) : 0;
}

// ---- Pointing and choosing

/** A place of the upright maps → the place of Φ(g·x) that shows the same, or back if `back`. */
function carry(s, { channel, y, x }, back) {
  const {
    turn_deg: turn,
    mirrored,
    shift_px: shift,
  } = s.header.transforms.find(({ name }) => name === s.element);
  const [from, to] = back ? [s.pass[1].hw, s.pass[0].hw] : [s.pass[0].hw, s.pass[1].hw];
  let [right, up] = [x - (from[1] - 1) / 2, (from[0] - 1) / 2 - y];
  if (shift) {
    const step = (axis) => ((back ? -1 : 1) * shift[axis] * s.pass[0].hw[axis]) / s.picture.hw[axis];
    [right, up] = [right + step(1), up - step(0)];
  } else {
    const angle = ((back && !mirrored ? -turn : turn) * Math.PI) / 180; // mirrored elements undo themselves
    if (mirrored) right = -right;
    [right, up] = [
      right * Math.cos(angle) - up * Math.sin(angle),
      right * Math.sin(angle) + up * Math.cos(angle),
    ];
  }
  return {
    channel: mixedChannel(s, channel, back),
    y: Math.round((to[0] - 1) / 2 - up),
    x: Math.round(right + (to[1] - 1) / 2),
  };
}

/** The channel of Φ(g·x) that g⁻¹ brings to `channel` (for a matrix: the one with the largest weight), or back. */
function mixedChannel(s, channel, back) {
  const { start, index, size, run } = s.entry.slots[channel];
  const mix = s.entry.maps.transforms[s.element].realign?.mix?.[run];
  if (!mix) return channel;
  const source = (i) =>
    mix.permutation?.[i] ??
    mix.matrix[i].reduce((best, w, j, row) => (Math.abs(w) > Math.abs(row[best]) ? j : best), 0);
  if (!back) return start + source(index);
  return start + Math.max(Array.from({ length: size }, (_, i) => source(i)).indexOf(index), 0);
}

const transformedPlace = (s, place) => carry(s, place, false);
const uprightPlace = (s, panel, place) => (panel === 1 ? carry(s, place, true) : place);

function atlasPixel(s, panel, event) {
  const box = s.el.atlases[panel].canvas.getBoundingClientRect();
  const [left, top] = [event.clientX - box.left, event.clientY - box.top];
  const { cell, size, columns, places } = s.grid;
  const [column, row] = [Math.floor(left / (cell[1] * size + GAP)), Math.floor(top / (cell[0] * size + GAP))];
  const channel = column < columns ? places.findIndex(([r, c]) => r === row && c === column) : -1;
  if (channel < 0 || !s.pass[panel]) return null;
  const tile = tileBox(s, panel, channel);
  return inside(s, panel, {
    channel,
    y: Math.floor((top - tile[1]) / size),
    x: Math.floor((left - tile[0]) / size),
  });
}

function largePixel(s, panel, event) {
  const { canvas, size } = s.el.large[panel];
  const box = canvas.getBoundingClientRect();
  const channel = panel === 1 ? transformedPlace(s, { channel: s.channel, y: 0, x: 0 }).channel : s.channel;
  if (!s.pass[panel]) return null;
  return inside(s, panel, {
    channel,
    y: Math.floor((event.clientY - box.top) / size),
    x: Math.floor((event.clientX - box.left) / size),
  });
}

function inside(s, panel, place) {
  const [H, W] = s.pass[panel].hw;
  return place.y >= 0 && place.x >= 0 && place.y < H && place.x < W ? place : null;
}

/** Marks a pixel (or nothing) in all panels, and reads its values. */
function point(s, panel, at) {
  if (!s.entry?.maps.hw || s.el.viewer.classList.contains("waiting")) return;
  const upright = at && uprightPlace(s, panel, at);
  s.hover = upright;
  const places = [0, 1, 2, 3].map((p) =>
    upright && s.pass[p] ? inside(s, p, p === 1 ? transformedPlace(s, upright) : upright) : null,
  );
  places.forEach((place, p) => {
    const { size } = s.grid;
    const tile = place && tileBox(s, p, place.channel);
    setMark(s.el.atlases[p].hover, tile, tile && [(place.x + 0.5) * size, (place.y + 0.5) * size]);
    const one = s.el.large[p];
    const here = place && upright.channel === s.channel;
    setMark(
      one.hover,
      here && [0, 0, s.pass[p].hw[1] * one.size, s.pass[p].hw[0] * one.size],
      here && [(place.x + 0.5) * one.size, (place.y + 0.5) * one.size],
    );
  });
  const values = places.map((place, p) =>
    place ? s.pass[p].values[(place.channel * s.pass[p].hw[0] + place.y) * s.pass[p].hw[1] + place.x] : null,
  );
  writeReadout(
    s,
    upright && `${channelText(s, upright.channel)}, row ${upright.y + 1}, column ${upright.x + 1}`,
    values,
  );
}

function channelText(s, channel) {
  const { field, index, run } = s.entry.slots[channel];
  const column = s.entry.maps.runs[run].columns[index];
  return `field ${field + 1}${column ? `, ${column}` : ""}`;
}

function writeReadout(s, where, values) {
  const cells = PANELS.map(([title], p) =>
    h("span", {}, `${title} `, h("b", {}, where ? number(values[p], p === 3 ? 2 : 4) : "")),
  );
  s.el.readout.replaceChildren(h("span", {}, where || "Point at a pixel to read its values."), ...cells);
}

function setMark(mark, box, cross) {
  mark.hidden = !box;
  if (!box) return;
  ["left", "top", "width", "height"].forEach((name, i) => (mark.style[name] = `${box[i]}px`));
  if (cross) ["--x", "--y"].forEach((name, i) => mark.style.setProperty(name, `${cross[i]}px`));
}

function chooseChannel(s, channel) {
  s.channel = channel;
  drawLarge(s);
}

function atlasKey(s, event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const [row, column] = s.grid.places[s.channel];
  const channel = s.grid.places.findIndex(([r, c]) => r === row + step[0] && c === column + step[1]);
  if (channel < 0) return;
  chooseChannel(s, channel);
  writeReadout(s, channelText(s, channel), [null, null, null, null]);
  const { scroll } = s.el.atlases[0];
  const [, top, , height] = tileBox(s, 0, channel);
  for (const box of [scroll, s.el.panels]) {
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight - 60)
      box.scrollTop = top + height - box.clientHeight + 60;
  }
}

// ---- Layers without pixels: bars

function drawVectors(s) {
  const rows = s.header.transforms.map(({ name, label }) => {
    const pass = passOf(s, name);
    const most = Math.max(largest(pass[0].values), largest(pass[1].values));
    const canvas = h("canvas", { role: "img", "aria-label": `channels after ${label}` });
    const note = pass[3] ? `largest difference ${number(largest(pass[3].values))}` : "no action";
    canvas.onpointermove = (event) => vectorValues(s, pass, label, event);
    canvas.onpointerleave = () => writeReadout(s, null, []);
    return {
      row: h(
        "div",
        { class: `vector${name === s.element ? " current" : ""}` },
        h("b", {}, label),
        canvas,
        h("span", {}, note),
      ),
      canvas,
      pass,
      most,
    };
  });
  const most = Math.max(...rows.map((row) => row.most));
  const legend = h(
    "p",
    { class: "facts" },
    `Bars: g⁻¹Φ(g·x), channel by channel, all from ${number(-most)} to ${number(most)}. Lines: Φ(x).`,
  );
  s.el.vectors.replaceChildren(legend, ...rows.map(({ row }) => row));
  rows.forEach(({ canvas, pass }) => drawBars(s, canvas, pass, most || 1));
}

function drawBars(s, canvas, [upright, transformed, realigned], most) {
  const [width, height] = [canvas.clientWidth, 56];
  const context = fitCanvas(canvas, width, height);
  canvas.style.width = "";
  context.scale(canvas.width / width, canvas.height / height);
  const bars = (realigned ?? transformed).values;
  const step = width / bars.length;
  const y = (value) => height / 2 - (Math.min(Math.max(value || 0, -most), most) / most) * (height / 2 - 2);
  context.fillStyle = errorColour(s, 0.35);
  bars.forEach((value, i) =>
    context.fillRect(
      i * step + step * 0.12,
      Math.min(y(value), height / 2),
      step * 0.76,
      Math.abs(y(value) - height / 2),
    ),
  );
  context.fillStyle = s.text;
  upright.values.forEach((value, i) => context.fillRect(i * step, y(value) - 0.75, step, 1.5));
  context.globalAlpha = 0.4;
  context.fillRect(0, height / 2 - 0.5, width, 1);
}

function vectorValues(s, pass, label, event) {
  const channel = Math.floor((event.offsetX / event.target.clientWidth) * s.entry.maps.channels);
  if (channel < 0 || channel >= s.entry.maps.channels) return;
  writeReadout(
    s,
    `${label}, ${channelText(s, channel)}`,
    pass.map((part) => part && part.values[channel]),
  );
}
