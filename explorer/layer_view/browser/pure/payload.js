// The payload, described in explorer/layer_view/packing.py, and the maps of layers that were seen.

/** The header and the buffers of a payload in `bytes`, a Uint8Array. */
export function parse(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, buffers: bytes.slice(4 + length).buffer }; // copied: within the message they may not be aligned
}

/** The pictures as {picture, transformed: by name}, each {hw, rgb}. */
export function picturesOf({ header, buffers }) {
  const read = ({ hw, offset }) => ({
    hw,
    rgb: new Uint8Array(buffers.slice(offset, offset + hw[0] * hw[1] * 3)),
  });
  const transformed = Object.entries(header.picture.transformed).map(([name, picture]) => [
    name,
    read(picture),
  ]);
  return { picture: read(header.picture.upright), transformed: Object.fromEntries(transformed) };
}

/**
 * For each channel: its field, its place in the field, the field's first channel and size, its run, and its part: the
 * channels that any element mixes among each other (a whole field, or one frequency of it) have the same number.
 */
export function slotsOf(maps) {
  const slots = [];
  let field = maps.fields[0];
  let part = -1;
  maps.runs.forEach((run, at) => {
    for (let n = 0; n < run.count; n++, field++) {
      const start = slots.length;
      run.columns.forEach((column, index) => {
        if (index === 0 || frequencyOf(column) !== frequencyOf(run.columns[index - 1])) part += 1;
        slots.push({ field, index, start, size: run.size, run: at, part });
      });
    }
  });
  return slots;
}

/** The frequency in the label of a column of harmonics, 2 of "2c"; 0 for elements of a group. */
const frequencyOf = (column) => parseInt(column, 10) || 0;

/** Names a page of a layer: its fields from `first` on. */
export const pageKey = (layer, first) => `${layer}|${first}`;

/** Keeps the maps of pages as {maps, buffers, slots}, up to `limitBytes`; the least recently used go first. */
export function layerCache(limitBytes) {
  const entries = new Map(); // "view|layer|first field" → entry; the least recently used comes first
  const keyOf = (view, layer, first) => `${view}|${pageKey(layer, first)}`;
  const use = (key, entry) => {
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  };
  return {
    remember({ header, buffers }) {
      const key = keyOf(header.view, header.maps.layer, header.maps.fields[0]);
      use(key, { maps: header.maps, buffers, slots: slotsOf(header.maps) });
      let bytes = [...entries.values()].reduce((sum, entry) => sum + entry.buffers.byteLength, 0);
      for (const [oldest, entry] of entries) {
        if (bytes <= limitBytes || oldest === key) break;
        bytes -= entry.buffers.byteLength;
        entries.delete(oldest);
      }
    },
    recall(view, layer, first) {
      const key = keyOf(view, layer, first);
      const entry = entries.get(key);
      return entry && use(key, entry);
    },
  };
}
