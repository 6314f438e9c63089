// The layer view as a component of Streamlit: what the view asks for goes to Python, and the shown layer into the address.

import { createView } from "../../layer_view/browser/view.js";

const views = new WeakMap(); // parentElement → {view, data, calls}

export default function layerView({ parentElement, data, setStateValue, setTriggerValue }) {
  if (!views.has(parentElement)) views.set(parentElement, create(parentElement));
  const shown = views.get(parentElement);
  Object.assign(shown.calls, { setStateValue, setTriggerValue }); // other functions in each call
  if (data && data !== shown.data) {
    shown.data = data;
    shown.view.show(data);
  } else shown.view.restyle(); // also called when only the theme has changed
  return () => {
    shown.view.close();
    views.delete(parentElement);
  };
}

function create(parentElement) {
  const calls = {};
  const view = createView(parentElement.querySelector(".layer-view"), {
    onPage: (page) => calls.setStateValue("page", page),
    onLayer: (layer) => calls.setStateValue("layer", layer),
    onEnlarge: (channel) => calls.setTriggerValue("enlarge", channel),
    onShow: syncAddress,
  });
  return { view, data: null, calls };
}

/** A shared link must open what is shown; all other parameters stay. */
function syncAddress(layer, isChosenHere) {
  const url = new URL(window.location.href);
  const stale = url.searchParams.get("layer") !== layer && (isChosenHere || url.searchParams.has("layer"));
  if (!stale) return;
  url.searchParams.set("layer", layer);
  window.history.replaceState(window.history.state, "", url);
}
