// The document: elements, and the frame of a view.

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function create(parentElement) {
  const root = parentElement.querySelector(".layer-view");
  const s = {
    root,
    id: `lv${instanceCount++}`,
    el: {},
    requests: [],
    firsts: new Map(),
    channel: 0,
    hover: null,
  };
  Object.assign(s, { palette: "orange–blue", scale: "layer", stretch: false, strip: "all" });
  root.replaceChildren(
    stripFrame(s),
    viewerFrame(s),
    (s.el.tip = h("div", { class: "tip", role: "tooltip", hidden: "" })),
  );
  watchHelp(s);
  s.observer = new ResizeObserver(() => s.entry && s.width !== s.el.panels.clientWidth && draw(s));
  s.observer.observe(root);
  return s;
}

/** Native radio buttons as one segmented control: keyboard and screen readers come with them. */
function segmented(s, name, label, options, chosen, choose) {
  const group = h("div", { class: "segmented", role: "radiogroup", "aria-label": label });
  for (const { value, content, said = content, help } of options) {
    const input = h("input", { type: "radio", name: `${s.id}-${name}`, value, "aria-label": said });
    input.checked = value === chosen;
    input.onchange = () => choose(value);
    input.setAttribute("aria-description", help);
    group.append(h("label", { "data-help": help }, input, h("span", {}, content)));
  }
  return group;
}

function plainButton(text, help, onclick) {
  return explained(h("button", { type: "button", class: "plain", onclick }, text), help);
}
