// Panels are built once and redrawn in place, so that nothing flickers while a run goes on. One cross-hair for all.

const HEIGHT = 150, LEFT = 46, RIGHT = 8, TOP = 8, BOTTOM = 20;
const views = new WeakMap();

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".curves");
  const view = views.get(root) ?? { panels: new Map(), at: null };
  views.set(root, view);
  view.data = data;
  root.setAttribute("aria-label", data.label);
  root.table = () => commaSeparated([["panel", "curve", "step", "value"], ...data.panels.flatMap(({ title, lines }) => lines.flatMap(({ name, steps, values }) => steps.map((step, i) => [title, name, step, values[i]])))]);
  for (const [title, panel] of view.panels) if (!data.panels.some((one) => one.title === title)) { panel.box.remove(); view.panels.delete(title); }
  for (const one of data.panels) {
    if (!view.panels.has(one.title)) view.panels.set(one.title, build(view, one.title));
    root.append(view.panels.get(one.title).box);
  }
  draw(view);
  const watch = new ResizeObserver(() => draw(view));
  watch.observe(root);
  return () => watch.disconnect();
}

function build(view, title) {
  const box = element("figure", "panel"), head = element("h4", "", title), note = element("p", "note"), keys = element("ul", "keys");
  const svg = node("svg", { class: "figure", tabindex: 0, role: "img" }), plot = element("div", "plot"), empty = element("p", "empty");
  const panel = { box, note, keys, svg, rows: new Map(), grid: svg.appendChild(node("g", {})), curves: svg.appendChild(node("g", {})), cross: svg.appendChild(node("line", { class: "cross", visibility: "hidden" })), empty };
  plot.append(svg, empty);
  box.append(head, note, keys, plot);
  svg.addEventListener("pointermove", (event) => point(view, stepAt(view, svg, event)));
  svg.addEventListener("pointerleave", () => point(view, null));
  svg.addEventListener("blur", () => point(view, null));
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const reads = [...new Set(view.data.panels.flatMap(({ lines }) => lines.flatMap(({ steps }) => steps)))].sort((a, b) => a - b);
    if (!reads.length) return;
    const here = view.at === null ? reads.length - 1 : nearest(reads, view.at);
    point(view, reads[Math.max(0, Math.min(reads.length - 1, here + move))]);
  });
  return panel;
}

const point = (view, step) => { view.at = step; draw(view); };

function stepAt(view, svg, { clientX }) {
  const { left, width } = svg.getBoundingClientRect();
  const share = (clientX - left - LEFT) / Math.max(width - LEFT - RIGHT, 1);
  return Math.round(Math.max(0, Math.min(1, share)) * last(view));
}

const last = ({ data }) => Math.max(data.steps, 1, ...data.panels.flatMap(({ lines }) => lines.map(({ steps }) => steps.at(-1) ?? 0)));

function draw(view) {
  const end = last(view);
  for (const one of view.data.panels) paint(view, one, view.panels.get(one.title), end);
}

function paint(view, one, panel, end) {
  const width = Math.max(panel.svg.clientWidth, 120), { low, high } = range(one);
  const x = (step) => LEFT + (width - LEFT - RIGHT) * step / end;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
  const drawn = one.lines.filter(({ steps }) => steps.length);
  panel.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  panel.note.textContent = one.note;
  axes(panel.grid, ticks(low, high, 3), width, y, end, one.percent);
  panel.empty.textContent = drawn.length ? "" : one.empty;
  const names = new Set(one.lines.map(({ name }) => name));
  for (const [name, row] of panel.rows) if (!names.has(name)) { row.item.remove(); row.path.remove(); panel.rows.delete(name); }
  const said = [];
  for (const line of one.lines) {
    const row = panel.rows.get(line.name) ?? key(panel, line.name);
    const alone = line.steps.length === 1;
    row.path.setAttribute("class", `curve ${line.look}${alone ? " alone" : ""}`);
    row.sample.setAttribute("class", `curve ${line.look}`);
    row.path.setAttribute("d", alone ? mark(line.look, x(line.steps[0]), y(line.values[0])) : line.steps.map((step, i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(line.values[i]).toFixed(1)}`).join(""));
    const i = view.at === null ? line.steps.length - 1 : nearest(line.steps, view.at);
    row.value.textContent = i < 0 ? "" : words(line.values[i], one.percent);
    said.push(`${line.name} ${row.value.textContent}`);
  }
  const cross = view.at === null ? null : x(view.at);
  place(panel.cross, { x1: cross ?? 0, x2: cross ?? 0, y1: TOP, y2: HEIGHT - BOTTOM, visibility: cross === null ? "hidden" : "visible" });
  panel.svg.setAttribute("aria-label", `${one.title}${view.at === null ? "" : ` at step ${view.at}`}: ${said.join(", ")}. Arrow keys read it off.`);
}

/** A value without a neighbour: a circle for known images, a diamond for outliers, a triangle for a third thing. */
function mark(look, x, y) {
  const corners = { ood: [[0, -5], [5, 0], [0, 5], [-5, 0]], aux: [[0, -5], [5, 4], [-5, 4]] }[look];
  if (!corners) return `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z`;
  return `${corners.map(([right, down], i) => `${i ? "L" : "M"}${(x + right).toFixed(1)} ${(y + down).toFixed(1)}`).join("")}Z`;
}

function key(panel, name) {
  const item = element("li"), sample = node("line", { x1: 1, x2: 21, y1: 5, y2: 5 }), swatch = node("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" }), value = element("b");
  swatch.append(sample);
  item.append(swatch, element("span", "", name), value);
  panel.keys.append(item);
  const row = { item, sample, value, path: panel.curves.appendChild(node("path", {})) };
  panel.rows.set(name, row);
  return row;
}

function axes(group, levels, width, y, end, percent) {
  const parts = levels.flatMap((level) => [
    node("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(level), y2: y(level) }),
    text(words(level, percent, true), { x: LEFT - 6, y: y(level) + 4, "text-anchor": "end" }),
  ]);
  group.replaceChildren(...parts, text("0", { x: LEFT, y: HEIGHT - 5 }), text(`step ${end}`, { x: width - RIGHT, y: HEIGHT - 5, "text-anchor": "end" }));
}

function range({ lines, percent }) {
  const values = lines.flatMap((line) => line.values);
  const top = Math.max(...values, 0), bottom = Math.min(...values, 0);
  if (percent) return { low: 0, high: 1 };
  return top > bottom ? { low: bottom, high: top * 1.04 } : { low: 0, high: 1 };
}

function nearest(steps, at) {
  let best = -1;
  steps.forEach((step, i) => { if (best < 0 || Math.abs(step - at) < Math.abs(steps[best] - at)) best = i; });
  return best;
}

function words(value, percent, short = false) {
  if (percent) return `${(100 * value).toFixed(short ? 0 : 1)} %`;
  const size = Math.abs(value);
  const text = size === 0 ? "0" : size < 0.001 ? value.toExponential(short ? 0 : 1) : String(Number(value.toPrecision(short ? 2 : 3)));
  return text.replaceAll("-", "\u2212");
}

function place(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
}
