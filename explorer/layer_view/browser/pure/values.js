// The values of a layer: realigned, and how large they are.

const floats = (entry, offset, channels, hw) =>
  new Float32Array(entry.buffers, offset, channels * (hw ? hw[0] * hw[1] : 1));

/** [Φ(x), Φ(g·x), g⁻¹Φ(g·x), difference] as {values, hw}; the last two null without an action. */
export function passOf(entry, name) {
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
export function sourcePixels({ turns, mirrored }, from, to) {
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
export function extremes(shown, first = 0, count = Infinity) {
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
export function largest(shown, first, count) {
  const [low, high] = extremes(shown, first, count);
  return Math.max(-low, high, 0);
}

/** The value of a pixel of `shown`, or of a channel without pixels. */
export function valueAt({ values, hw }, { channel, y = 0, x = 0 }) {
  const [H, W] = hw ?? [1, 1];
  return values[(channel * H + y) * W + x];
}

/**
 * The ends of the colour scales: for each part (see slotsOf) `most`, the largest value of Φ(x) and Φ(g·x), and
 * `mostDifference`; the same over the layer; and `byPart`, whether each part has a scale of its own (`choice` "field").
 */
export function scaleEnds({ slots, maps }, pass, choice) {
  const parts = slots.length ? slots.at(-1).part + 1 : 0;
  const most = new Float64Array(parts);
  const mostDifference = new Float64Array(parts);
  slots.forEach(({ part }, channel) => {
    const ends = [0, 1, 3].map((panel) => largest(pass[panel], channel, 1));
    most[part] = Math.max(most[part], ends[0], ends[1]);
    mostDifference[part] = Math.max(mostDifference[part], ends[2]);
  });
  return {
    most,
    mostDifference,
    layerMost: Math.max(...most, 0),
    layerMostDifference: Math.max(...mostDifference, 0),
    byPart: choice === "field" && parts > 1,
    frequencies: parts > maps.fields[1] - maps.fields[0] + 1,
  };
}

/** The value at the end of the colour scale of a channel, by its part; `stretch` gives differences a scale of their own. */
export function scaleEnd(ends, part, { stretch }) {
  if (stretch) return ends.byPart ? ends.mostDifference[part] : ends.layerMostDifference;
  return ends.byPart ? ends.most[part] : ends.layerMost;
}
