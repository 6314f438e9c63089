// A Plotly chart that stays where it is. Streamlit's own chart is a new element whenever its figure or its words change:
// it vanishes for a moment, and forgets how it was zoomed. Here the chart is kept and given the new figure, so the page
// does not move, and what a visitor zoomed stays as long as the chart is about the same.
//
// The figure may leave out fonts and the colours of axes: they are the theme's, also after a change of the theme.

import { rgb } from "../../layer_view/browser/pure/colours.js";
import { themeOf } from "../../layer_view/browser/theme.js";

const TITLE_GAP_PX = 6;
const EXPAND = {
  width: 24,
  height: 24,
  path: "M4 9V4h5v2H6v3H4zm11-5h5v5h-2V6h-3V4zM4 15h2v3h3v2H4v-5zm14 0h2v5h-5v-2h3v-3z",
};

const charts = new WeakMap(); // parentElement → state
let loading = null; // of Plotly, once for all charts

export default function chartView({ parentElement, data, setTriggerValue }) {
  if (!charts.has(parentElement)) charts.set(parentElement, create(parentElement));
  const s = charts.get(parentElement);
  Object.assign(s, { data, setTriggerValue });
  s.place.setAttribute("aria-label", data.words);
  s.place.style.minHeight = `${data.figure.layout.height}px`; // before the library is there
  queue(s, draw); // also called when only the theme has changed
  // Streamlit also calls this for a call that a later one has overtaken: then the chart is still in the page.
  return () => requestAnimationFrame(() => s.place.isConnected || leave(s));
}

function create(parentElement) {
  const place = parentElement.querySelector(".chart");
  const s = { parentElement, place, isDrawn: false, isGone: false, isBusy: false, waiting: null };
  s.observer = new ResizeObserver(() => s.isDrawn && queue(s, resize));
  s.observer.observe(place);
  s.onFullscreen = () => s.isDrawn && queue(s, draw);
  document.addEventListener("fullscreenchange", s.onFullscreen);
  return s;
}

function leave(s) {
  s.observer.disconnect();
  document.removeEventListener("fullscreenchange", s.onFullscreen);
  charts.delete(s.parentElement);
  s.isGone = true;
  if (!s.isBusy) clear(s);
}

function clear(s) {
  window.Plotly?.purge(s.place);
  s.isDrawn = false;
  s.place.textContent = "";
}

/** Do `work` after what is being done; of what waits meanwhile the drawing alone, for it resizes as well. */
async function queue(s, work) {
  if (s.waiting !== draw) s.waiting = work;
  if (s.isBusy) return;
  s.isBusy = true;
  while (s.waiting && !s.isGone) {
    const next = s.waiting;
    s.waiting = null;
    try {
      // oxlint-disable-next-line no-await-in-loop -- drawings of one chart come one after the other
      await next(s, await plotly(s.data.library));
    } catch (error) {
      clear(s);
      s.place.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  }
  s.isBusy = false;
  if (s.isGone) clear(s);
}

async function draw(s, Plotly) {
  const { figure, file } = s.data;
  const layout = { uirevision: s.data.about || "kept", ...figure.layout, template: template(s), autosize: true };
  if (document.fullscreenElement === s.place) layout.height = window.innerHeight;
  const wanted = JSON.stringify([figure.data, layout]); // a page draws all its charts when one has changed
  if (s.isDrawn && wanted === s.shown) return resize(s, Plotly);
  if (!s.isDrawn) s.place.textContent = "";
  s.shown = wanted;
  await Plotly.react(s.place, figure.data, layout, s.isDrawn ? s.config : (s.config = config(s, file)));
  if (s.isDrawn) return;
  s.isDrawn = true;
  s.place.on("plotly_click", ({ points: [point] }) => {
    if (s.data.clicks) s.setTriggerValue("clicked", point.customdata ?? null);
  });
}

async function resize(s, Plotly) {
  const width = s.place.offsetWidth;
  if (s.isDrawn && width && width !== s.place._fullLayout.width) await Plotly.Plots.resize(s.place);
}

/** Plotly's own script, from the installed package: loaded once for all charts, and kept by the browser. */
function plotly(library) {
  loading ??= load(library).catch((error) => {
    loading = null; // so that the next chart tries again
    throw error;
  });
  return loading;
}

async function load(library) {
  const own = document.querySelector("script[src*='static/js/']").src; // below the same root, whatever its path
  const answer = await fetch(new URL(`../../${library}`, own), { cache: "force-cache" }); // the address has the version
  if (!answer.ok) throw new Error(`plotly.js: ${answer.status}`);
  const address = URL.createObjectURL(new Blob([await answer.text()], { type: "text/javascript" }));
  await import(address);
  URL.revokeObjectURL(address);
  return window.Plotly;
}

function config(s, file) {
  const expand = {
    name: "Full screen",
    title: "Full screen",
    icon: EXPAND,
    click: () => (document.fullscreenElement ? document.exitFullscreen() : s.place.requestFullscreen()),
  };
  return {
    displaylogo: false,
    showSendToCloud: false, // nothing leaves this page
    displayModeBar: s.data.clicks ? true : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud"],
    modeBarButtonsToAdd: document.fullscreenEnabled ? [expand] : [],
    toImageButtonOptions: { format: "png", filename: file, scale: 2 },
  };
}

/** What a figure leaves open, in the colours of the theme. */
function template(s) {
  const read = themeOf(s.place);
  const [text, grey, page] = ["text-color", "gray-text-color", "background-color"].map(read);
  const faint = `color-mix(in srgb, ${grey} 22%, ${page})`;
  const line = resolved(s, faint);
  const axis = {
    gridcolor: line,
    linecolor: line,
    zerolinecolor: line,
    tickfont: { color: grey },
    title: { font: { color: grey, size: 12 }, standoff: TITLE_GAP_PX },
    automargin: true,
  };
  const round = { gridcolor: line, linecolor: line, tickfont: { color: grey } };
  const nothing = "rgba(0,0,0,0)";
  return {
    layout: {
      font: { family: read("font"), size: 12, color: grey },
      margin: { l: 56, r: 12, t: 12, b: 44 },
      colorway: read("chart-categorical-colors").split(","),
      paper_bgcolor: nothing,
      plot_bgcolor: nothing,
      xaxis: { ...axis, showgrid: false, zeroline: false },
      yaxis: axis,
      polar: { bgcolor: nothing, radialaxis: round, angularaxis: round },
      legend: { bgcolor: nothing, font: { color: grey } },
      hoverlabel: { bgcolor: page, bordercolor: line, font: { color: text, family: read("font") } },
      modebar: { bgcolor: nothing, color: grey, activecolor: text },
    },
  };
}

/** A colour as Plotly reads it. */
function resolved(s, colour) {
  s.place.style.outlineColor = colour;
  const found = getComputedStyle(s.place).outlineColor;
  s.place.style.outlineColor = "";
  return `rgb(${rgb(found).join(",")})`;
}
