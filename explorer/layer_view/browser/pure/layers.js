// The layers of the strip: how they are grouped, and which of their errors are shown.

import { side } from "./words.js";

/** The layers as [[group, [[block, [layer, …]], …]], …]: runs of equal first and second parts of the name. */
export function grouped(layers) {
  const groups = [];
  for (const layer of layers) {
    const parts = layer.name.split(".");
    const block = parts.length > 2 ? parts[1] : "";
    if (groups.at(-1)?.[0] !== parts[0]) groups.push([parts[0], []]);
    const blocks = groups.at(-1)[1];
    if (blocks.at(-1)?.[0] !== block) blocks.push([block, []]);
    blocks.at(-1)[1].push(layer);
  }
  return groups;
}

/** Whether a layer mixes pixels, channels or fields, rather than treating each value by itself. */
export const isWide = (layer) =>
  Boolean(layer.kernel) ||
  side(layer.in_hw) !== side(layer.out_hw) ||
  /linear|conv|pool|length/i.test(layer.kind);

/** Names of the elements that the verdict is about; all where it is about none. */
export function judgedElements({ layers, transforms }) {
  const judged = new Set(layers.flatMap((layer) => Object.keys(layer.status)));
  const shown = transforms.filter(({ name }) => judged.has(name));
  return (shown.length ? shown : transforms).map(({ name }) => name);
}

/** The largest of the errors under these elements, NaN before any other; null where nothing is compared. */
export function largestError(errors, elements) {
  const values = elements.map((name) => errors[name]).filter((v) => v !== null && v !== undefined);
  return values.length
    ? values.reduce((a, b) => (Number(b) > Number(a) || Number.isNaN(Number(b)) ? b : a))
    : null;
}

/** "broken" or "undecided" where the layer is so under one of these elements. */
export function worstStatus(status, elements) {
  const found = new Set(elements.map((name) => status[name]));
  return ["broken", "undecided"].find((word) => found.has(word));
}
