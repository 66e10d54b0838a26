// Saves the picture beside it. A Plotly figure is several SVGs on top of each other; a component's is one `svg.figure`.

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "visibility", "display", "paint-order", "dominant-baseline"];

export default function ({ data, parentElement }) {
  const group = parentElement.querySelector(".saves");
  group.setAttribute("aria-label", `Save ${data.name.replaceAll("-", " ")}`);
  for (const button of group.children) button.hidden = !data.picture && button.dataset.kind !== "csv";
  const click = ({ target }) => target.dataset.kind && save(target.dataset.kind, data, parentElement);
  group.addEventListener("click", click);
  return () => group.removeEventListener("click", click);
}

async function save(kind, { place, name, table }, here) {
  const beside = document.querySelector(`.${CSS.escape(place)}`);
  if (kind === "csv") return offerTable(table ?? told(beside), name);
  const drawn = compose(beside, colour(here));
  if (!drawn) return;
  await offerPicture(drawn, kind, name);
}

const colour = (here) => getComputedStyle(here.firstElementChild ?? here).getPropertyValue("--st-background-color").trim() || "#fff";

// One SVG that stands alone: layers side by side as on the page, styles written into it, the page's colour behind.
function compose(place, background) {
  const layers = [...pictures(place)];
  if (!layers.length) return null;
  const boxes = layers.map((layer) => layer.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left)), top = Math.min(...boxes.map((box) => box.top));
  const width = Math.ceil(Math.max(...boxes.map((box) => box.right)) - left), height = Math.ceil(Math.max(...boxes.map((box) => box.bottom)) - top);
  const whole = node("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` });
  whole.append(node("rect", { width, height, fill: background }));
  layers.forEach((layer, i) => {
    const copy = layer.cloneNode(true);
    dress(layer, copy);
    for (const [name, value] of Object.entries({ x: boxes[i].left - left, y: boxes[i].top - top, width: boxes[i].width, height: boxes[i].height })) copy.setAttribute(name, value);
    copy.removeAttribute("style");
    whole.append(copy);
  });
  return whole;
}

// Of Plotly the layers that are seen; of components what they call a figure, also inside their shadow.
function* pictures(place) {
  if (!place) return;
  for (const found of place.querySelectorAll(".js-plotly-plot svg.main-svg, svg.figure")) if (found.getBoundingClientRect().width) yield found;
  for (const inside of place.querySelectorAll("*")) if (inside.shadowRoot) yield* pictures(inside.shadowRoot);
}

// What the component itself says of its numbers.
function told(place) {
  for (const inside of place.querySelectorAll("*")) {
    for (const each of inside.shadowRoot?.querySelectorAll("*") ?? []) if (each.table) return each.table();
  }
  return "";
}

function dress(source, copy) {
  const style = getComputedStyle(source);
  for (const name of STYLES) copy.style.setProperty(name, style.getPropertyValue(name));
  [...source.children].forEach((child, i) => dress(child, copy.children[i]));
}
