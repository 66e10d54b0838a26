// One dial, one histogram, two lanes of photos. What is dragged is answered here; Python hears of it once, on release.
// Decisions are looked up (`photo.keptFrom`), never computed: the library made them for every setting of the dial.

const SVG = "http://www.w3.org/2000/svg";
const TOP = 34, HEIGHT = 210, AXIS = 22, ROW = 30, ROWS = 4, MARK = 28;
const views = new WeakMap();
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".board");
  const view = views.get(root) ?? mount(root);
  Object.assign(view, { data, report: setStateValue });
  view.level = Math.min(view.level ?? data.level, data.levels.length - 1);
  view.selected = data.photos.some(({ id }) => id === view.selected) ? view.selected : data.photos[0]?.id;
  fill(view);
  draw(view);
  move(view, view.level, false);
  const watch = new ResizeObserver(() => { if (view.frame.clientWidth !== view.width) { draw(view); move(view, view.level, false); } });
  watch.observe(view.frame);
  return () => watch.disconnect();
}

function mount(root) {
  const find = (query) => root.querySelector(query);
  const view = {
    root, find, dial: find("#keep"), frame: find(".frame"), svg: find(".frame svg"), marks: find(".markers"), handle: find(".handle"),
    lanes: { kept: find(".kept .cards"), flagged: find(".flagged .cards") }, cards: new Map(), dots: new Map(),
  };
  views.set(root, view);
  view.dial.addEventListener("input", () => move(view, Number(view.dial.value), true));
  view.dial.addEventListener("change", () => settle(view));
  view.frame.addEventListener("pointerdown", (event) => grab(view, event));
  return view;
}

// ---- building ------------------------------------------------------------------------------------------------------

function fill(view) {
  const { data, dial, find } = view;
  dial.max = data.levels.length - 1;
  find("#dial-hint").textContent = data.words.dial;
  find(".alarms-name").textContent = data.words.alarms;
  find(".caught-name").textContent = data.words.caught;
  find("figcaption").textContent = data.words.axis;
  find(".legend").replaceChildren(
    key("id-area", data.reference.idName), ...(data.reference.ood ? [key("ood-area", data.reference.oodName)] : []));
  view.cards = new Map(data.photos.map((photo) => [photo.id, card(view, photo)]));
  view.dots = new Map(data.photos.map((photo) => [photo.id, dot(view, photo)]));
  view.lanes.kept.replaceChildren();
  view.lanes.flagged.replaceChildren();
  view.marks.replaceChildren(...view.dots.values());
}

function key(kind, words) {
  const line = kind === "id-area" ? "" : "6 4", colour = kind === "id-area" ? "var(--id)" : "var(--ood)";
  const sample = node("svg", { viewBox: "0 0 26 12" });
  sample.append(node("path", { d: "M1 6H25", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": line, fill: "none" }));
  const item = element("span", "");
  item.append(sample, words);
  return item;
}

function card(view, photo) {
  const item = element("button", "card");
  item.type = "button";
  const pair = element("span", photo.small ? "pair one" : "pair");
  if (!photo.small) pair.append(picture(photo.original, `${photo.name}, the picture`, ""));
  pair.append(picture(photo.seen, `${photo.name}, as the network sees it`, "seen"));
  const says = element("span", "says");
  says.append(element("span", "", photo.label), element("span", "sure", `${Math.round(100 * photo.confidence)} %`));
  const rank = element("span", "rank"), bar = element("i", ""), tick = element("b", "");
  bar.style.width = `${100 * photo.rank}%`;
  rank.append(bar, tick);
  const numbers = element("span", "numbers");
  numbers.append(element("span", "", photo.scoreWords), element("span", "", photo.pWords));
  const title = element("span", "title");
  title.append(element("span", "name", photo.name), element("span", "wrong"));
  item.append(pair, title, says, rank, numbers, element("span", "from", photo.group));
  item.title = `${photo.name}\n${photo.rankWords}`;
  item.addEventListener("click", () => select(view, photo.id, true));
  return item;
}

function dot(view, photo) {
  const mark = element("div", "mark"), image = element("img", "");
  image.src = photo.seen;
  image.alt = "";
  mark.title = photo.name;
  mark.append(image);
  mark.addEventListener("pointerdown", (event) => { event.stopPropagation(); select(view, photo.id, true); });
  return mark;
}

function picture(source, words, kind) {
  const box = element("span", kind), image = element("img", "");
  image.src = source;
  image.alt = words;
  box.append(image);
  return box;
}

// ---- drawing -------------------------------------------------------------------------------------------------------

function draw(view) {
  const { svg, data } = view, width = view.width = view.frame.clientWidth;
  const { low, high } = data.reference, base = TOP + HEIGHT;
  view.x = (score) => 8 + (width - 16) * Math.min(1, Math.max(0, (score - low) / (high - low)));
  const rows = place(view, base + AXIS + 20);
  svg.setAttribute("height", base + AXIS + 14 + ROW * rows);
  svg.setAttribute("aria-label", data.words.alt);
  view.refused = node("rect", { class: "refused", y: TOP - 8, height: HEIGHT + 8 });
  view.line = node("line", { class: "threshold", y1: 20, y2: base + 6 });
  view.sides = ["kept", "flagged"].map((words, i) => text(words, { class: "side", y: TOP + 8, "text-anchor": i ? "start" : "end", fill: `var(--${i ? "ood" : "id"}-text)` }));
  const parts = [view.refused];
  if (data.reference.ood) parts.push(area(view, data.reference.ood, "ood-area"));
  parts.push(area(view, data.reference.id, "id-area"), node("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }));
  for (const tick of ticks(low, high, width)) {
    parts.push(node("line", { class: "axis", x1: view.x(tick), x2: view.x(tick), y1: base, y2: base + 5 }),
      text(label(tick), { class: "tick", x: view.x(tick), y: base + 19, "text-anchor": "middle" }));
  }
  svg.replaceChildren(...parts, ...view.sides, view.line);
}

function area(view, heights, kind) {
  const { edges } = view.data.reference, base = TOP + HEIGHT;
  let path = `M${view.x(edges[0])} ${base}`;
  heights.forEach((height, i) => { path += `V${base - height * (HEIGHT - 26)}H${view.x(edges[i + 1])}`; });
  return node("path", { class: kind, d: `${path}V${base}` });
}

// Photos hang under the axis at their score; those that would overlap go one row down.
function place(view, top) {
  const ends = [];
  for (const photo of [...view.data.photos].sort((a, b) => a.score - b.score)) {
    const x = Math.min(view.width - MARK / 2, Math.max(MARK / 2, view.x(photo.score)));
    let row = ends.findIndex((end) => x - end >= MARK);
    if (row < 0) row = ends.length < ROWS ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = x;
    Object.assign(view.dots.get(photo.id).style, { left: `${x}px`, top: `${top + ROW * row + 6}px` });
  }
  return Math.max(1, ends.length);
}

function ticks(low, high, width) {
  const rough = (high - low) / Math.max(3, width / 110), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step);
}

const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");

// ---- moving the line -----------------------------------------------------------------------------------------------

function move(view, level, animate) {
  const { data, dial } = view, flagged = (photo) => level < photo.keptFrom;
  view.level = level;
  dial.value = level;
  dial.style.setProperty("--at", level / Math.max(1, data.levels.length - 1));
  dial.setAttribute("aria-valuetext", `${percent(data.levels[level])} of known images kept`);
  view.find("#keep-value").textContent = percent(data.levels[level]);
  view.find(".alarms").textContent = percent(data.alarms[level]);
  view.find(".caught").textContent = data.caught ? percent(data.caught[level]) : "–";
  line(view, view.x(data.thresholds[level]), data.thresholdWords[level]);
  const before = animate && !still() ? spots(view) : null;
  for (const photo of data.photos) show(view, photo, flagged(photo), data.levels[level]);
  sort(view, flagged);
  if (before) glide(view, before);
  count(view, data.photos.filter(flagged).length);
}

function line(view, x, words) {
  for (const end of ["x1", "x2"]) view.line.setAttribute(end, x);
  view.refused.setAttribute("x", x);
  view.refused.setAttribute("width", Math.max(0, view.width - x));
  view.sides[0].setAttribute("x", x - 10);
  view.sides[1].setAttribute("x", x + 10);
  view.sides[0].style.display = x < 50 ? "none" : "";
  view.sides[1].style.display = view.width - x < 60 ? "none" : "";
  const chip = view.handle.firstElementChild;
  chip.textContent = words;
  const half = chip.offsetWidth / 2;
  view.handle.style.transform = `translateX(${Math.min(view.width - half, Math.max(half, x))}px)`;
}

function show(view, photo, flagged, level) {
  const item = view.cards.get(photo.id), wrong = photo.truth && (photo.truth === "ood") !== flagged;
  item.querySelector(".rank b").style.left = `${100 * level}%`;
  item.setAttribute("aria-label", `${photo.name}: ${flagged ? "flagged" : "kept"}${wrong ? (flagged ? ", a false alarm" : ", missed") : ""}. ${photo.label}, ${percent(photo.confidence)} sure. ${photo.rankWords}.`);
  item.setAttribute("aria-pressed", photo.id === view.selected);
  item.classList.toggle("on", photo.id === view.selected);
  item.querySelector(".wrong").textContent = wrong ? (flagged ? "false alarm" : "missed") : "";
  const mark = view.dots.get(photo.id);
  mark.classList.toggle("flagged", flagged);
  mark.classList.toggle("on", photo.id === view.selected);
}

function sort(view, flagged) {
  const ordered = [...view.data.photos].sort((a, b) => a.score - b.score);
  const lanes = { kept: ordered.filter((photo) => !flagged(photo)), flagged: ordered.filter(flagged).reverse() };
  for (const [name, photos] of Object.entries(lanes)) {
    const wanted = photos.map((photo) => view.cards.get(photo.id)), lane = view.lanes[name];
    if (wanted.length !== lane.children.length || wanted.some((item, i) => lane.children[i] !== item)) lane.replaceChildren(...wanted);
  }
}

function spots(view) {
  return new Map([...view.cards.values()].map((item) => [item, [item.parentElement, item.getBoundingClientRect()]]));
}

function glide(view, before) {
  for (const [item, [lane, old]] of before) {
    if (item.parentElement === lane) continue;
    const now = item.getBoundingClientRect();
    item.animate([{ transform: `translate(${old.x - now.x}px, ${old.y - now.y}px)`, opacity: 0.6 }, { transform: "none", opacity: 1 }],
      { duration: 260, easing: "cubic-bezier(.2,.7,.3,1)" });
  }
}

function count(view, flagged) {
  const kept = view.data.photos.length - flagged, shown = view.find(".shown");
  view.find(".kept .count").textContent = kept;
  view.find(".flagged .count").textContent = flagged;
  if (shown.dataset.count === `${kept}/${flagged}`) return;
  shown.dataset.count = `${kept}/${flagged}`;
  shown.replaceChildren(element("b", "k", String(kept)), " kept, ", element("b", "f", String(flagged)), " flagged");
}

// ---- hands ---------------------------------------------------------------------------------------------------------

function grab(view, event) {
  if (event.button !== 0) return;
  const follow = ({ clientX }) => move(view, nearest(view, clientX - view.frame.getBoundingClientRect().x), true);
  const leave = () => {
    view.frame.removeEventListener("pointermove", follow);
    settle(view);
  };
  view.frame.setPointerCapture(event.pointerId);
  view.frame.addEventListener("pointermove", follow);
  for (const end of ["lostpointercapture"]) view.frame.addEventListener(end, leave, { once: true });
  follow(event);
}

function nearest(view, x) {
  let best = 0;
  view.data.thresholds.forEach((score, i) => { if (Math.abs(view.x(score) - x) < Math.abs(view.x(view.data.thresholds[best]) - x)) best = i; });
  return best;
}

function settle(view) {
  const acceptance = view.data.levels[view.level];
  if (acceptance !== view.sent) view.report("acceptance", (view.sent = acceptance));
}

function select(view, id, tell) {
  view.selected = id;
  move(view, view.level, false);
  if (tell) view.report("selected", id);
}

// ---- nodes ---------------------------------------------------------------------------------------------------------

function element(tag, kind, words) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (words !== undefined) made.textContent = words;
  return made;
}

function node(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function text(words, attributes) {
  const made = node("text", attributes);
  made.textContent = words;
  return made;
}
