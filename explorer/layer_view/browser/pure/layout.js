// Where the maps of a layer lie: one tile for each channel, a field on one line or on several.

export const GAP = 2; // CSS pixels between tiles of an atlas
const FIELD_GAP = 7; // between fields that take several lines
const LEGIBLE_TILE = 18; // CSS pixels; a label above a narrower tile would run into the next
const LABEL_LINE = 17; // CSS pixels; the height of a line of column labels
const MOST_SCALAR_COLUMNS = 8;

/**
 * {cell (map pixels), size (CSS pixels a map pixel), width, height, room, labels, places}: `labels` are the lines to
 * write above the columns, a place is {row, column, top} of a channel's tile, `room` the height seen without scrolling.
 *
 * The cell is one for all elements, so that nothing moves with g. box: {width, height} in CSS pixels of what is seen of a
 * panel, and `ratio`, device pixels a CSS pixel.
 */
export function layout(maps, box) {
  const shapes = [maps.hw, ...Object.values(maps.transforms).map(({ hw }) => hw)];
  const cell = [0, 1].map((axis) => Math.max(...shapes.map((hw) => hw[axis])));
  const layouts = columnChoices(maps).map((columns) => laidOut(maps.runs, cell, columns, box));
  const legible = layouts.filter(({ size }) => size * cell[1] >= LEGIBLE_TILE);
  const seen = legible.filter(({ height, room }) => height <= room);
  if (seen.length) return seen.reduce((best, one) => (one.size > best.size ? one : best));
  return legible[0] ?? layouts.at(-1); // the most columns, and so the least scrolling
}

/** How many columns a field, or for scalar fields an atlas, may have; the most first. */
function columnChoices({ runs, channels }) {
  const most = Math.max(...runs.map(({ size }) => size));
  if (most > 1) return [most, Math.ceil(most / 2), Math.ceil(most / 4)].filter((n, i, all) => n !== all[i - 1]);
  const columns = Math.min(MOST_SCALAR_COLUMNS, channels);
  return Array.from({ length: columns }, (_, i) => columns - i);
}

function laidOut(runs, cell, columns, box) {
  const labels = labelLines(runs, columns);
  const room = box.height - LABEL_LINE * (labels.length - 1);
  const lines = sum(runs, ({ size, count }) =>
    size > 1 ? count * Math.ceil(size / columns) : Math.ceil(count / columns),
  );
  const gaps = sum(runs, (run) => run.count * gapAfterField(run, columns));
  const across = ((box.width + GAP) / columns - GAP) / cell[1];
  const down = ((room - gaps) / lines - GAP) / cell[0]; // all lines are seen
  const size = pixelSize(down * cell[1] >= LEGIBLE_TILE ? Math.min(across, down) : across, cell, box.ratio);
  const [stepX, stepY] = [cell[1] * size + GAP, cell[0] * size + GAP];
  const [width, height] = [columns * stepX - GAP, lines * stepY + gaps - GAP];
  return { cell, size, room, labels, width, height, places: placed(runs, columns, stepY) };
}

const sum = (items, value) => items.reduce((total, item) => total + value(item), 0);

const gapAfterField = ({ size }, columns) => (size > columns ? FIELD_GAP : 0);

/** The channels of a field side by side, on as many lines as they need. */
function placed(runs, columns, stepY) {
  const places = [];
  let [row, top] = [0, 0];
  for (const run of runs) {
    const perLine = run.size > 1 ? run.size : columns;
    const channels = run.size * run.count;
    for (let n = 0; n < channels; n++) {
      const [column, fieldEnds] = [(n % perLine) % columns, (n + 1) % perLine === 0];
      places.push({ row, column, top });
      if (!fieldEnds && column < columns - 1 && n < channels - 1) continue;
      row += 1;
      top += stepY + (fieldEnds ? gapAfterField(run, columns) : 0);
    }
  }
  return places;
}

/** The labels of the largest fields, cut into lines of `columns`. */
function labelLines(runs, columns) {
  const { columns: labels } = runs.reduce((a, b) => (b.size > a.size ? b : a));
  const lines = Math.ceil(labels.length / columns);
  return Array.from({ length: lines }, (_, line) => labels.slice(line * columns, (line + 1) * columns));
}

/** CSS pixels for a map pixel: whole device pixels where that wastes little room, so that all look alike. */
export function pixelSize(available, cell, ratio) {
  const exact = available * ratio;
  const whole = Math.floor(exact);
  return (whole >= 0.85 * exact ? whole : Math.floor(exact * cell[1]) / cell[1]) / ratio;
}

/**
 * [left, top, width, height] in CSS pixels of a channel's tile, for maps of [H, W]; maps smaller than the cell lie in its
 * middle.
 */
export function tileBox({ cell, size, places }, [H, W], channel) {
  const { column, top } = places[channel];
  const left = column * (cell[1] * size + GAP) + ((cell[1] - W) * size) / 2;
  return [left, top + ((cell[0] - H) * size) / 2, W * size, H * size];
}

/** The place {channel, y, x} at CSS pixels `left` and `top` of an atlas of maps of shape `hw`; null between tiles. */
export function placeAt(grid, hw, left, top) {
  const tiles = grid.places.map((_, channel) => tileBox(grid, hw, channel));
  const channel = tiles.findIndex(([x, y, w, h]) => left >= x && left < x + w && top >= y && top < y + h);
  if (channel < 0) return null;
  const [x, y] = tiles[channel];
  return { channel, y: Math.floor((top - y) / grid.size), x: Math.floor((left - x) / grid.size) };
}
