// Colours as numbers, and tables of them for maps and errors.

const MIDDLE = { light: "#f7f7f7", dark: "#1a1d22" }; // near the page's colour, so that zero recedes
const GREY = ["#000000", "#ffffff"];

// Ends to middle to ends.
const PALETTES = {
  light: {
    "purple–green": [
      "#40004b",
      "#762a83",
      "#9970ab",
      "#c2a5cf",
      "#f4f4f4",
      "#a6dba0",
      "#5aae61",
      "#1b7837",
      "#00441b",
    ],
    grey: GREY,
  },
  dark: {
    "purple–green": [
      "#efd6f6",
      "#c890db",
      "#9a5bb0",
      "#5a336b",
      MIDDLE.dark,
      "#275233",
      "#4a9a58",
      "#86cf8c",
      "#d0f2d0",
    ],
    grey: GREY,
  },
};

/** [red, green, blue], 0..255, of #rrggbb, rgb(…) or color(srgb …); a middle grey for anything else. */
export function rgb(colour) {
  const text = colour.trim();
  const hex = text.replace("#", "");
  if (/^[0-9a-f]{6}/i.test(hex)) return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const parts = (text.match(/[\d.]+/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
  return text.startsWith("color(") ? parts.map((part) => Math.round(part * 255)) : parts;
}

/** Whether a page of this colour is a dark one. */
function isDark(background) {
  const [red, green, blue] = rgb(background);
  return 0.3 * red + 0.6 * green + 0.1 * blue < 128;
}

/** The palettes for maps, by name, each a list of colours; the theme's own, `diverging`, comes first. */
export function palettesOf(background, diverging) {
  const scheme = isDark(background) ? "dark" : "light";
  const own = [...diverging];
  own.splice(own.length / 2, 0, MIDDLE[scheme]); // the theme gives ten colours and so no middle
  return { "orange–blue": own, ...PALETTES[scheme] };
}

/** The colour at `t` (0..1) of a list of colours, as [red, green, blue]. */
function blend(colours, t) {
  const at = Math.min(Math.max(t, 0), 1) * (colours.length - 1);
  const low = Math.min(Math.floor(at), colours.length - 2);
  return colours[low].map((value, i) => Math.round(value + (at - low) * (colours[low + 1][i] - value)));
}

/** 513 colours for −1..1, each one 32-bit pixel; the last entry is for NaN. */
export function lookup(colours) {
  const stops = colours.map(rgb);
  const table = new Uint32Array(514);
  for (let i = 0; i < 513; i++) {
    const [red, green, blue] = blend(stops, i / 512);
    table[i] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  table[513] = 0x00000000;
  return table;
}

/** Colours `values` into `pixels`, one each: −end has the table's first colour, zero its middle, end its last. */
export function colourMap(pixels, values, table, end) {
  const scale = end > 0 ? 256 / end : 0;
  for (let p = 0; p < values.length; p++) {
    const value = values[p];
    pixels[p] = table[Number.isNaN(value) ? 513 : Math.min(Math.max((256.5 + value * scale) | 0, 0), 512)];
  }
}

/** An error on a log scale: 0 at `tolerance`, which is rounding, 1 at 1. */
export function height(error, tolerance) {
  const low = Math.log10(tolerance);
  return Math.min(Math.max(1 - Math.log10(Math.max(Number(error), 1e-30)) / low, 0), 1);
}

/** The colour of an error of this `height`, of the theme's sequential colours. */
export const errorColour = (sequential, t) => `rgb(${blend(sequential.slice(3, 8), t).join(",")})`;
