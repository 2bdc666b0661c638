// Makes elements. Text is only ever set as text, so that no title can become markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

// Set only what differs: what a reader has selected or is about to press stays.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function say(text) {
  byId("said").textContent = text;
}

export function trouble(text) {
  byId("trouble").hidden = !text;
  setText(byId("trouble"), text);
}
