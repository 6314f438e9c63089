// Elements of the document, and the controls that several parts use.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element[name] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** `element`, explained by `text`: in a tip (see help.js), and to screen readers. */
export function explained(element, text, { onlyKeys = false } = {}) {
  element.setAttribute("aria-description", text);
  element.dataset[onlyKeys ? "helpOnKeys" : "help"] = text; // a tip over maps would cover what is pointed at
  return element;
}

/** Native radio buttons as one segmented control: keyboard and screen readers come with them. */
export function segmented(s, name, label, options, chosen, choose) {
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

export function plainButton(text, help, onclick) {
  return explained(h("button", { type: "button", class: "plain", onclick }, text), help);
}
