// Colours: those of the page's theme, and tables of them for maps and errors.

// Ends to middle to ends; the middle is near the page's colour, so that zero recedes. The theme's own comes first.
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
    grey: ["#000000", "#ffffff"],
  },
  dark: {
    "purple–green": [
      "#efd6f6",
      "#c890db",
      "#9a5bb0",
      "#5a336b",
      "#1a1d22",
      "#275233",
      "#4a9a58",
      "#86cf8c",
      "#d0f2d0",
    ],
    grey: ["#000000", "#ffffff"],
  },
};

function readTheme(s) {
  const style = getComputedStyle(s.root);
  const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
  const theme = ["background-color", "text-color", "chart-sequential-colors", "chart-diverging-colors"].map(
    read,
  );
  if (theme.join("|") === s.theme) return false;
  s.theme = theme.join("|");
  const [red, green, blue] = rgb(theme[0]);
  const dark = 0.3 * red + 0.6 * green + 0.1 * blue < 128;
  s.text = theme[1];
  s.sequential = theme[2].split(",").map(rgb);
  const own = theme[3].split(",");
  own.splice(own.length / 2, 0, dark ? "#1a1d22" : "#f7f7f7"); // the theme gives ten colours and so no middle
  s.palettes = { "orange–blue": own, ...PALETTES[dark ? "dark" : "light"] };
  fillPalettes(s);
  return true;
}

function rgb(colour) {
  const hex = colour.trim().replace("#", "");
  if (/^[0-9a-f]{6}/i.test(hex)) return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return (colour.match(/[\d.]+/g) ?? [128, 128, 128]).slice(0, 3).map(Number);
}

/** The colour at `t` (0..1) of a list of colours, as [red, green, blue]. */
function blend(colours, t) {
  const at = Math.min(Math.max(t, 0), 1) * (colours.length - 1);
  const low = Math.min(Math.floor(at), colours.length - 2);
  return colours[low].map((value, i) => Math.round(value + (at - low) * (colours[low + 1][i] - value)));
}

/** 513 colours for −1..1, each one 32-bit pixel; the last entry is for NaN. */
function lookup(colours) {
  const stops = colours.map(rgb);
  const table = new Uint32Array(514);
  for (let i = 0; i < 513; i++) {
    const [red, green, blue] = blend(stops, i / 512);
    table[i] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  table[513] = 0x00000000;
  return table;
}

/** Errors on a log scale: 0 at rounding, 1 at 1. */
function height(s, error) {
  const low = Math.log10(s.header.tolerance);
  return Math.min(Math.max(1 - Math.log10(Math.max(Number(error), 1e-30)) / low, 0), 1);
}

const errorColour = (s, t) => `rgb(${blend(s.sequential.slice(3, 8), t).join(",")})`;

