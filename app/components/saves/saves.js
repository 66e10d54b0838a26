// Saves the picture beside it. A Plotly figure is several SVGs on top of each other; a component's is one `svg.figure`.

const SVG = "http://www.w3.org/2000/svg";
const STYLES = ["fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity",
  "font-family", "font-size", "font-weight", "text-anchor", "visibility", "display", "paint-order", "dominant-baseline"];
const SHARPNESS = 2;

export default function ({ data, parentElement }) {
  const group = parentElement.querySelector(".saves");
  group.setAttribute("aria-label", `Save ${data.name.replaceAll("-", " ")}`);
  const click = ({ target }) => target.dataset.kind && save(target.dataset.kind, data, parentElement);
  group.addEventListener("click", click);
  return () => group.removeEventListener("click", click);
}

async function save(kind, { place, name, table }, here) {
  if (kind === "csv") return offer(new Blob(["\ufeff", table], { type: "text/csv;charset=utf-8" }), `${name}.csv`);
  const drawn = compose(document.querySelector(`.${CSS.escape(place)}`), colour(here));
  if (!drawn) return;
  const blob = new Blob([new XMLSerializer().serializeToString(drawn)], { type: "image/svg+xml;charset=utf-8" });
  offer(kind === "svg" ? blob : await raster(blob, drawn), `${name}.${kind}`);
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

function dress(source, copy) {
  const style = getComputedStyle(source);
  for (const name of STYLES) copy.style.setProperty(name, style.getPropertyValue(name));
  [...source.children].forEach((child, i) => dress(child, copy.children[i]));
}

async function raster(blob, drawn) {
  const image = new Image(), source = URL.createObjectURL(blob);
  image.src = source;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: drawn.getAttribute("width") * SHARPNESS, height: drawn.getAttribute("height") * SHARPNESS });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(source);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function offer(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function node(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
