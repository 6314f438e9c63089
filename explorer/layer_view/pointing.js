// Pointing and choosing: values under the pointer or the arrow keys, and the chosen channel.

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
  const { size, places } = s.grid;
  if (!s.pass[panel]) return null;
  const tiles = places.map((_, channel) => tileBox(s, panel, channel));
  const channel = tiles.findIndex(([x, y, w, h]) => left >= x && left < x + w && top >= y && top < y + h);
  if (channel < 0) return null;
  const [x, y] = tiles[channel];
  return inside(s, panel, { channel, y: Math.floor((top - y) / size), x: Math.floor((left - x) / size) });
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

function writeReadout(s, where, values) {
  const cells = PANELS.map(([title], p) =>
    h("span", {}, `${title} `, h("b", {}, where ? number(values[p], p === 3 ? 2 : 4) : "")),
  );
  const what = s.entry.maps.hw ? "a pixel" : "a bar";
  s.el.readout.replaceChildren(h("span", {}, where || `Point at ${what} to read its values.`), ...cells);
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

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function atlasKey(s, event) {
  const step = ARROWS[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const { places } = s.grid;
  const { row, column } = places[s.channel];
  const channel = places.findIndex((place) => place.row === row + step[0] && place.column === column + step[1]);
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

/** Moves the marked pixel of the chosen channel, and has its values read out. */
function pixelKey(s, event) {
  const step = ARROWS[event.key];
  if (!step || !s.entry?.maps.hw) return;
  event.preventDefault();
  const [H, W] = s.pass[0].hw;
  const from = s.hover?.channel === s.channel ? s.hover : null;
  const at = from
    ? { channel: s.channel, y: from.y + step[0], x: from.x + step[1] }
    : { channel: s.channel, y: (H - 1) >> 1, x: (W - 1) >> 1 };
  if (!inside(s, 0, at)) return;
  s.el.readout.setAttribute("aria-live", "polite"); // not while a pointer moves: that would never end
  point(s, 0, at);
}
