// The theme of the page: its CSS variables --st-….

import { palettesOf, rgb } from "./pure/colours.js";

/** Reads the theme's variables where `element` is: `read("text-color")`. */
export function themeOf(element) {
  const style = getComputedStyle(element);
  return (name) => style.getPropertyValue(`--st-${name}`).trim();
}

/** Takes the colours of the theme; false where they are those that `s` has. */
export function readTheme(s) {
  const read = themeOf(s.root);
  const theme = ["background-color", "text-color", "chart-sequential-colors", "chart-diverging-colors"].map(
    read,
  );
  if (theme.join("|") === s.theme) return false;
  s.theme = theme.join("|");
  const [background, text, sequential, diverging] = theme;
  s.text = text;
  s.sequential = sequential.split(",").map(rgb);
  s.palettes = palettesOf(background, diverging.split(","));
  return true;
}
