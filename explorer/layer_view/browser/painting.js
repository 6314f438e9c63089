// Painting maps and pictures into canvases.

import { colourMap } from "./pure/colours.js";

const SHEET_ROWS = 8192; // browsers limit the height of a canvas

const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

/** Device pixels a CSS pixel. */
export const deviceRatio = () => window.devicePixelRatio || 1;

/**
 * Draws channels of `values` (C, H, W) with colours from −most(channel) to most(channel), where `place(channel)` says:
 * [left, top, width, height] in device pixels.
 */
export function paintMaps(context, { values, hw: [H, W] }, table, channels, most, place) {
  const chunk = Math.max(1, Math.floor(SHEET_ROWS / H));
  context.imageSmoothingEnabled = false;
  for (let start = 0; start < channels.length; start += chunk) {
    const part = channels.slice(start, start + chunk);
    const image = new ImageData(W, H * part.length);
    const colours = new Uint32Array(image.data.buffer);
    const map = (of, at) => of.subarray(at * H * W, (at + 1) * H * W);
    part.forEach((channel, at) => colourMap(map(colours, at), map(values, channel), table, most(channel)));
    Object.assign(scratch.canvas, { width: W, height: H * part.length });
    scratch.putImageData(image, 0, 0);
    part.forEach((channel, n) => {
      const [left, top, width, height] = place(channel);
      context.imageSmoothingEnabled = width < W; // fewer device pixels than map pixels: average them
      context.drawImage(scratch.canvas, 0, n * H, W, H, left, top, width, height);
    });
  }
}

/** Gives `canvas` this size in CSS pixels, as sharp as the screen is. */
export function fitCanvas(canvas, width, height) {
  const ratio = deviceRatio();
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  return canvas.getContext("2d");
}

/** A picture {hw, rgb}, one canvas pixel each. */
export function paintPicture(canvas, { hw: [rows, columns], rgb: colours }, said) {
  canvas.setAttribute("aria-label", `${said}, ${rows}×${columns} px`);
  Object.assign(canvas, { width: columns, height: rows });
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++)
    image.data.set([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2], 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  canvas.classList.toggle("tall", rows > columns);
}
