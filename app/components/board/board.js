// One dial, a histogram for each checkpoint, lanes of photos. What is dragged is answered here; Python hears of it once,
// on release. Decisions are looked up (`keptFrom`), never computed: the library made them for every setting of the dial.

const ALONE = { top: 34, height: 210, row: 30, rows: 4, mark: 13 }, BESIDE = { top: 24, height: 74, row: 25, rows: 2, mark: 10.5 };
const AXIS = 22;
const views = new WeakMap();
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const pValue = (share) => `p ≤ ${(1 - share).toFixed(3)}`;
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const many = (view) => view.data.panels.length > 1;
const flagged = (photo, side, level) => level < photo.under[side].keptFrom;
const flags = (photo, level) => photo.under.map((_, side) => flagged(photo, side, level));
const differ = (photo, level) => new Set(flags(photo, level)).size > 1;
const lane = (photo, level) => differ(photo, level) ? "differ" : flagged(photo, 0, level) ? "flagged" : "kept";

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".board");
  const view = views.get(root) ?? mount(root);
  Object.assign(view, { data, report: setStateValue });
  view.level = Math.min(view.level ?? data.level, data.levels.length - 1);
  view.scale ??= data.scale;
  view.selected = [view.selected, data.selected].find((one) => data.photos.some(({ id }) => id === one)) ?? data.photos[0]?.id;
  fill(view);
  draw(view);
  move(view, view.level, false);
  const watch = new ResizeObserver(() => { if (view.sides[0].frame.clientWidth !== view.width) { draw(view); move(view, view.level, false); } });
  watch.observe(view.sides[0].frame);
  return () => watch.disconnect();
}

function mount(root) {
  const find = (query) => root.querySelector(query);
  const view = {
    root, find, dial: find("#keep"), scales: [...root.querySelectorAll(".scales button")], cards: new Map(), widths: new Map(), sides: [],
    lanes: { differ: find(".differ .cards"), kept: find(".kept .cards"), flagged: find(".flagged .cards") },
  };
  views.set(root, view);
  view.dial.addEventListener("input", () => move(view, Number(view.dial.value), true));
  view.dial.addEventListener("change", () => settle(view));
  for (const button of view.scales) button.addEventListener("click", () => reword(view, button.dataset.scale));
  return view;
}

// ---- building ------------------------------------------------------------------------------------------------------

function fill(view) {
  const { data, dial, find } = view, { words, panels } = data;
  view.root.classList.toggle("many", many(view));
  dial.max = data.levels.length - 1;
  find(".alarms-name").textContent = words.alarms;
  find(".caught-name").textContent = words.caught;
  find(".shown-name").textContent = many(view) ? `by ${panels[0].name}, your main checkpoint` : "Your selection";
  find("figcaption").textContent = words.axis;
  find(".legend").replaceChildren(key("id-area", words.known), ...(words.outliers ? [key("ood-area", words.outliers)] : []));
  find(".kept h3").textContent = many(view) ? "Kept by all" : "Kept";
  find(".flagged h3").textContent = many(view) ? "Flagged by all" : "Flagged";
  for (const lane of ["kept", "flagged"]) find(`.${lane} .none`).textContent = many(view) ? `No picture is ${lane} by all of them.` : `Nothing is ${lane} at this setting.`;
  view.cards = new Map(data.photos.map((photo) => [photo.id, card(view, photo)]));
  view.drawn = new Map();
  for (const lane of Object.values(view.lanes)) lane.replaceChildren();
  view.sides = panels.map((panel, side) => panelOf(view, panel, side));
  find(".panels").replaceChildren(...view.sides.map(({ box }) => box));
}

function key(kind, words) {
  const line = kind === "id-area" ? "" : "6 4", colour = kind === "id-area" ? "var(--id)" : "var(--ood)";
  const sample = node("svg", { viewBox: "0 0 26 12" });
  sample.append(node("path", { d: "M1 6H25", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": line, fill: "none" }));
  const item = element("span", "");
  item.append(sample, words);
  return item;
}

function panelOf(view, panel, side) {
  const box = element("div", "panel"), frame = element("div", "frame"), svg = node("svg", { class: "figure", role: "img", "aria-label": panel.alt });
  const about = element("dl", "about"), rates = { alarms: element("dd", ""), caught: element("dd", "") };
  about.append(rate("false alarms", rates.alarms));
  if (panel.caught) about.append(rate("caught", rates.caught), rate("AUROC ↑", element("dd", "", panel.apart)));
  frame.append(svg);
  box.append(frame, ...(many(view) ? [about] : []));
  frame.addEventListener("pointerdown", (event) => grab(view, side, event));
  return { panel, side, box, frame, svg, rates, marks: new Map(view.data.photos.map((photo) => [photo.id, mark(view, photo, side)])) };
}

function rate(name, value) {
  const row = element("div", "");
  row.append(element("dt", "", name), value);
  return row;
}

function mark(view, photo, side) {
  const { mark: r } = many(view) ? BESIDE : ALONE, group = node("g", { class: "mark" }), title = node("title", {});
  title.textContent = `${photo.name}: ${photo.under[side].scoreWords}, ${photo.under[side].pWords}`;
  group.append(title, node("circle", { class: "ring", r: r + 3.5 }), node("circle", { class: "round", r }),
    node("rect", { class: "square", x: -r, y: -r, width: 2 * r, height: 2 * r, rx: 3 }),
    node("image", { href: photo.seen, x: 2 - r, y: 2 - r, width: 2 * r - 4, height: 2 * r - 4, preserveAspectRatio: "xMidYMid slice" }));
  group.addEventListener("pointerdown", (event) => { event.stopPropagation(); select(view, photo.id, true); });
  return group;
}

function card(view, photo) {
  const item = element("button", "card"), main = photo.under[0];
  item.type = "button";
  const pair = element("span", photo.small ? "pair one" : "pair");
  if (!photo.small) pair.append(picture(photo.original, `${photo.name}, the picture`, ""));
  pair.append(picture(photo.seen, `${photo.name}, as the network sees it`, "seen"));
  const says = element("span", "says");
  says.append(element("span", "", main.label), element("span", "sure", `${Math.round(100 * main.confidence)} %`));
  const numbers = element("span", "numbers");
  numbers.append(element("span", "", main.scoreWords), element("span", "", main.pWords));
  const title = element("span", "title");
  title.append(element("span", "name", photo.name), element("span", "wrong"));
  item.append(pair, title, says, ranks(view, photo), numbers, element("span", "from", photo.group));
  item.title = `${photo.name}\n${main.rankWords}`;
  item.addEventListener("click", () => select(view, photo.id, true));
  return item;
}

// The decisions as a small strip: a line for each checkpoint in order, with one tick through all of them at the dial.
function ranks(view, photo) {
  const box = element("span", "ranks");
  photo.under.forEach((under, side) => {
    const line = element("span", "rank"), track = element("span", "track"), bar = element("i", "");
    bar.style.width = `${100 * under.rank}%`;
    track.append(bar, element("b", ""));
    line.append(...(many(view) ? [element("span", "decision")] : []), track);
    box.append(line);
  });
  return box;
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
  view.width = view.sides[0].frame.clientWidth;
  view.drawn.clear();
  view.widths.clear();
  for (const side of view.sides) plot(view, side);
}

function plot(view, own) {
  const { width } = view, { svg, panel } = own, size = many(view) ? BESIDE : ALONE, base = size.top + size.height;
  own.x = (score) => 8 + (width - 16) * Math.min(1, Math.max(0, (score - panel.low) / (panel.high - panel.low)));
  const rows = place(view, own, base + AXIS + size.mark + 5);
  svg.setAttribute("height", base + AXIS + size.row * rows + (many(view) ? 6 : 14));
  own.refused = node("rect", { class: "refused", y: size.top - 8, height: size.height + 8 });
  own.line = node("line", { class: "threshold", y1: 20, y2: base + 6 });
  own.words = ["kept", "flagged"].map((words, i) => text(words, { class: "side", y: size.top + (size.top > 30 ? 8 : 11), "text-anchor": i ? "start" : "end", fill: `var(--${i ? "ood" : "id"}-text)` }));
  own.chip = node("g", { class: "chip" });
  own.chip.append(node("rect", { y: 0, height: 22, rx: 11 }), text("", { y: 15.5, "text-anchor": "middle" }));
  const parts = [clips(size.mark - 2), own.refused];
  if (panel.ood) parts.push(area(own, panel.ood, "ood-area", size));
  parts.push(area(own, panel.id, "id-area", size), node("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }));
  for (const tick of ticks(panel.low, panel.high, Math.max(3, width / 110))) {
    parts.push(node("line", { class: "axis", x1: own.x(tick), x2: own.x(tick), y1: base, y2: base + 5 }),
      text(label(tick), { class: "tick", x: own.x(tick), y: base + 18, "text-anchor": "middle" }));
  }
  if (many(view)) parts.push(text(`${own.side + 1}  ${panel.name}`, { class: "who", x: 0, y: 15 }));
  svg.replaceChildren(...parts, ...own.words, own.line, own.chip, ...own.marks.values());
}

function clips(r) {
  const found = node("defs", {}), round = node("clipPath", { id: "round" }), square = node("clipPath", { id: "square" });
  round.append(node("circle", { r }));
  square.append(node("rect", { x: -r, y: -r, width: 2 * r, height: 2 * r, rx: 1.5 }));
  found.append(round, square);
  return found;
}

function area({ panel, x }, heights, kind, { top, height: room }) {
  const base = top + room;
  let path = `M${x(panel.edges[0])} ${base}`;
  heights.forEach((height, i) => { path += `V${base - height * (room - (room > 100 ? 26 : 6))}H${x(panel.edges[i + 1])}`; });
  return node("path", { class: kind, d: `${path}V${base}` });
}

// Photos hang under the axis at their score; those that would overlap go one row down.
function place(view, own, top) {
  const ends = [], size = many(view) ? BESIDE : ALONE, step = 2 * size.mark + 2, score = (photo) => photo.under[own.side].score;
  for (const photo of [...view.data.photos].sort((a, b) => score(a) - score(b))) {
    const x = Math.min(view.width - step / 2, Math.max(step / 2, own.x(score(photo))));
    let row = ends.findIndex((end) => x - end >= step);
    if (row < 0) row = ends.length < size.rows ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = x;
    own.marks.get(photo.id).setAttribute("transform", `translate(${x} ${top + size.row * row})`);
  }
  return Math.max(1, ends.length);
}

const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");

// ---- moving the line -----------------------------------------------------------------------------------------------

function move(view, level, animate) {
  const { data } = view, main = data.panels[0], lanes = data.photos.map((photo) => lane(photo, view.level) !== lane(photo, level));
  view.level = level;
  view.root.style.setProperty("--kept", `${100 * data.levels[level]}%`);
  say(view);
  view.find(".alarms").textContent = percent(main.alarms[level]);
  view.find(".caught").textContent = main.caught ? percent(main.caught[level]) : "–";
  for (const own of view.sides) {
    own.rates.alarms.textContent = percent(own.panel.alarms[level]);
    own.rates.caught.textContent = own.panel.caught ? percent(own.panel.caught[level]) : "";
    line(view, own, own.x(own.panel.thresholds[level]), own.panel.thresholdWords[level]);
  }
  const before = animate && !still() && lanes.includes(true) ? spots(view) : null;  // measuring costs a layout
  const flips = data.photos.filter((photo) => differ(photo, level)).length;
  view.find(".panels").classList.toggle("flip", flips > 0);
  for (const photo of data.photos) show(view, photo, level);
  const sizes = sort(view, level);
  if (before) glide(view, before);
  count(view, sizes, data.photos.filter((photo) => flagged(photo, 0, level)).length, flips);
}

// The dial in the chosen words. Both say the same: a photo is flagged when its p-value is at most 1 minus the share kept.
function say(view) {
  const { data, dial, level, scale } = view, share = data.levels[level], asP = scale === "p";
  dial.value = level;
  dial.style.setProperty("--at", level / Math.max(1, data.levels.length - 1));
  dial.setAttribute("aria-valuetext", asP ? `flagged when ${pValue(share)}` : `${percent(share)} of known images kept`);
  view.find("label").textContent = asP ? "Flag when the p-value is at most" : "Known images to keep";
  view.find("#keep-value").textContent = asP ? (1 - share).toFixed(3) : percent(share);
  view.find("#dial-hint").textContent = asP ? data.words.same.replace("{p}", pValue(share)).replace("{share}", percent(share)) : data.words.dial;
  for (const button of view.scales) button.setAttribute("aria-pressed", button.dataset.scale === scale);
}

function line(view, own, x, words) {
  for (const end of ["x1", "x2"]) own.line.setAttribute(end, x);
  own.refused.setAttribute("x", x);
  own.refused.setAttribute("width", Math.max(0, view.width - x));
  own.words[0].setAttribute("x", x - 10);
  own.words[1].setAttribute("x", x + 10);
  own.words[0].style.display = x < 50 ? "none" : "";
  own.words[1].style.display = view.width - x < 60 ? "none" : "";
  const [pill, number] = own.chip.children;
  number.textContent = `◂ ${words} ▸`;
  const half = width(view, number) / 2 + 10;
  pill.setAttribute("x", -half);
  pill.setAttribute("width", 2 * half);
  own.chip.setAttribute("transform", `translate(${Math.min(view.width - half, Math.max(half, x))} 0)`);
}

// Of a number in the fixed-width face; asked of the browser once for each count of digits, for it costs a layout.
function width(view, number) {
  const { length } = number.textContent;
  if (!view.widths.get(length)) view.widths.set(length, number.getComputedTextLength());
  return view.widths.get(length);
}

function show(view, photo, level) {
  const item = view.cards.get(photo.id), decided = flags(photo, level), differs = new Set(decided).size > 1, on = photo.id === view.selected;
  const words = wrong(photo, decided), drawn = `${decided} ${on}`;
  if (view.drawn.get(photo.id) === drawn) return;
  view.drawn.set(photo.id, drawn);
  [...item.querySelectorAll(".rank")].forEach((row, side) => {
    row.classList.toggle("flagged", decided[side]);
    if (many(view)) row.title = `${view.data.panels[side].name}: ${decided[side] ? "flagged" : "kept"}, ${photo.under[side].scoreWords}, ${photo.under[side].pWords}`;
  });
  item.setAttribute("aria-label", spoken(view, photo, decided, words));
  item.setAttribute("aria-pressed", on);
  item.classList.toggle("on", on);
  item.querySelector(".wrong").textContent = words;
  view.sides.forEach(({ marks }, side) => {
    const group = marks.get(photo.id);
    group.classList.toggle("flagged", decided[side]);
    group.classList.toggle("differs", differs);
    group.classList.toggle("on", on);
    group.lastElementChild.setAttribute("clip-path", decided[side] ? "url(#square)" : "url(#round)");
    if (on && group.nextSibling) group.parentNode.append(group);
  });
}

// Where the truth is known: a mistake that all make by its name, otherwise how many are right.
function wrong(photo, decided) {
  if (!photo.truth) return "";
  const right = decided.filter((flag) => flag === (photo.truth === "ood")).length;
  if (right === decided.length) return "";
  return right ? `${right}/${decided.length} right` : photo.truth === "ood" ? "missed" : "false alarm";
}

function spoken(view, photo, decided, words) {
  const main = photo.under[0], each = view.data.panels.map(({ name }, side) => `${name} ${decided[side] ? "flagged" : "kept"}`);
  const decision = many(view) ? each.join(", ") : decided[0] ? "flagged" : "kept";
  return `${photo.name}: ${decision}${words ? `, ${words}` : ""}. ${main.label}, ${percent(main.confidence)} sure. ${main.rankWords}.`;
}

function sort(view, level) {
  const ordered = [...view.data.photos].sort((a, b) => a.under[0].score - b.under[0].score), sizes = {};
  for (const [name, place] of Object.entries(view.lanes)) {
    const photos = ordered.filter((photo) => lane(photo, level) === name), wanted = photos.map((photo) => view.cards.get(photo.id));
    if (name === "flagged") wanted.reverse();
    if (wanted.length !== place.children.length || wanted.some((item, i) => place.children[i] !== item)) place.replaceChildren(...wanted);
    sizes[name] = wanted.length;
  }
  return sizes;
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

function count(view, sizes, flagged, flips) {
  const kept = view.data.photos.length - flagged, shown = view.find(".shown"), said = `${kept}/${flagged}/${flips}`;
  for (const [name, size] of Object.entries(sizes)) view.find(`.${name} .count`).textContent = size;
  if (shown.dataset.count === said) return;
  shown.dataset.count = said;
  shown.replaceChildren(element("b", "k", String(kept)), " kept, ", element("b", "f", String(flagged)), " flagged");
  view.find(".flips").textContent = flips === 1 ? "1 decision" : `${flips} decisions`;
}

// ---- hands ---------------------------------------------------------------------------------------------------------

function grab(view, side, event) {
  if (event.button !== 0) return;
  const { frame } = view.sides[side];
  const follow = ({ clientX }) => move(view, nearest(view, side, clientX - frame.getBoundingClientRect().x), true);
  const leave = () => {
    frame.removeEventListener("pointermove", follow);
    settle(view);
  };
  frame.setPointerCapture(event.pointerId);
  frame.addEventListener("pointermove", follow);
  frame.addEventListener("lostpointercapture", leave, { once: true });
  follow(event);
}

function nearest(view, side, x) {
  const own = view.sides[side], away = (i) => Math.abs(own.x(own.panel.thresholds[i]) - x);
  let best = 0;
  own.panel.thresholds.forEach((_, i) => { if (away(i) < away(best)) best = i; });
  return best;
}

function settle(view) {
  const acceptance = view.data.levels[view.level];
  if (acceptance !== view.sent) view.report("acceptance", (view.sent = acceptance));
}

function reword(view, scale) {
  if (scale === view.scale) return;
  view.scale = scale;
  say(view);
  view.report("scale", scale);
}

function select(view, id, tell) {
  view.selected = id;
  move(view, view.level, false);
  if (tell) view.report("selected", id);
}
