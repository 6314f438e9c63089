// The values of the chosen layer: realigned, and how large they are.

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

/** The lowest and the highest finite value of some channels of `shown`; [0, 0] where there is none. */
function extremes(shown, first = 0, count = Infinity) {
  if (!shown) return [0, 0];
  const area = shown.hw ? shown.hw[0] * shown.hw[1] : 1;
  const end = Math.min((first + count) * area, shown.values.length);
  let [low, high] = [Infinity, -Infinity];
  for (let i = first * area; i < end; i++) {
    const value = shown.values[i];
    if (value < low && value !== -Infinity) low = value;
    if (value > high && value !== Infinity) high = value;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** The largest finite absolute value. */
function largest(shown, first, count) {
  const [low, high] = extremes(shown, first, count);
  return Math.max(-low, high, 0);
}

/**
 * The ends of the colour scales: for each part (see slotsOf) the largest value of Φ(x) and Φ(g·x), and the largest
 * difference; in one scale for the layer, all parts have the same.
 */
function measureScales(s) {
  const { slots, maps } = s.entry;
  const parts = slots.length ? slots.at(-1).part + 1 : 0;
  s.most = new Float64Array(parts);
  s.mostDifference = new Float64Array(parts);
  slots.forEach(({ part }, channel) => {
    const ends = [0, 1, 3].map((panel) => largest(s.pass[panel], channel, 1));
    s.most[part] = Math.max(s.most[part], ends[0], ends[1]);
    s.mostDifference[part] = Math.max(s.mostDifference[part], ends[2]);
  });
  s.layerMost = Math.max(...s.most, 0);
  s.layerMostDifference = Math.max(...s.mostDifference, 0);
  s.byPart = s.scale === "field" && parts > 1;
  s.frequencies = parts > maps.fields[1] - maps.fields[0] + 1;
}

/** The value at the end of the colour scale of a channel in a panel. */
function scaleEnd(s, panel, channel) {
  const { part } = s.entry.slots[channel];
  if (panel === 3 && s.stretch) return s.byPart ? s.mostDifference[part] : s.layerMostDifference;
  return s.byPart ? s.most[part] : s.layerMost;
}
