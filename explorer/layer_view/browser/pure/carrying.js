// Carrying a place of the upright maps to the place of Φ(g·x) that shows the same, and back.

/**
 * The place {channel, y, x} of Φ(g·x) that shows what `place` of Φ(x) does, or the other way round if `back`; it may lie
 * outside the maps.
 *
 * maps: {upright, transformed, picture: [height, width] of Φ(x), Φ(g·x) and x; slots; realign: of the payload, or null}
 */
export function carry(transform, maps, { channel, y, x }, back = false) {
  const { turn_deg: turn, mirrored, shift_px: shift } = transform;
  const { upright, transformed, picture } = maps;
  const [from, to] = back ? [transformed, upright] : [upright, transformed];
  let [right, up] = [x - (from[1] - 1) / 2, (from[0] - 1) / 2 - y];
  if (shift) {
    const step = (axis) => ((back ? -1 : 1) * shift[axis] * upright[axis]) / picture[axis];
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
    channel: mixedChannel(maps, channel, back),
    y: Math.round((to[0] - 1) / 2 - up),
    x: Math.round(right + (to[1] - 1) / 2),
  };
}

/** The channel of Φ(g·x) that g⁻¹ brings to `channel` (for a matrix: the one with the largest weight), or back. */
function mixedChannel({ slots, realign }, channel, back) {
  const { start, index, size, run } = slots[channel];
  const mix = realign?.mix?.[run];
  if (!mix) return channel;
  const source = (i) =>
    mix.permutation?.[i] ??
    mix.matrix[i].reduce((best, w, j, row) => (Math.abs(w) > Math.abs(row[best]) ? j : best), 0);
  if (!back) return start + source(index);
  return start + Math.max(Array.from({ length: size }, (_, i) => source(i)).indexOf(index), 0);
}

/** `place` where it lies in maps of [height, width] `hw`, else null. */
export function inside([H, W], place) {
  return place.y >= 0 && place.x >= 0 && place.y < H && place.x < W ? place : null;
}
