// Two exponents, a strength and an imbalance: what is dragged is answered here, and Python hears of it on release.
// Tempered shares are looked up in the library's tables. Of a point, Z is its softmax times these; margins are m + αZ.

const ROW = 30, HEAD = 26, FOOT = 24, CLOUD = 300, MOST = 24, NEAR = 16;
const FULL = 65535;
const views = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".prior");
  const view = views.get(root) ?? mount(root);
  root.style.setProperty("--aux", data.colour);
  Object.assign(view, { data, report: setStateValue });
  adopt(view);
  build(view);
  draw(view);
  const watch = new ResizeObserver(() => { if (view.panels.some((panel) => panel.bars.clientWidth !== panel.width)) { shape(view); draw(view); } });
  watch.observe(root);
  return () => watch.disconnect();
}

function mount(root) {
  const find = (query) => root.querySelector(query);
  const view = { root, find, panels: [], whole: false, tip: find(".tip") };
  views.set(root, view);
  const dials = { gamma: (i) => view.gamma = i, weight: (i) => view.weight = i, imbalance: (i) => view.level = i, alpha: (value) => { view.alpha = value; view.ownAlpha = true; } };
  for (const [name, set] of Object.entries(dials)) {
    find(`#${name}`).addEventListener("input", ({ target }) => { set(Number(target.value)); draw(view); });
    find(`#${name}`).addEventListener("change", () => settle(view));
  }
  find("#two").addEventListener("change", ({ target }) => { view.two = target.checked; view.weight = view.gamma; draw(view); settle(view); });
  find(".sorts").addEventListener("click", ({ target }) => { if (target.dataset.sort) { view.sort = target.dataset.sort; draw(view); settle(view); } });
  find(".legend").append(
    key("share of the outliers (counts)", node("rect", { x: 1, y: 2, width: 20, height: 10, rx: 2, class: "bar" })),
    key("softmax average", node("line", { x1: 11, x2: 11, y1: 0, y2: 14, class: "average" })),
    key("tempered prior", node("line", { x1: 1, x2: 21, y1: 7, y2: 7, class: "link" }), node("circle", { cx: 11, cy: 7, r: 4.5, class: "dot" })),
    key("all classes alike", node("line", { x1: 11, x2: 11, y1: 0, y2: 14, class: "uniform" })));
  return view;
}

// The visitor's own setting holds when the data changes; what is new opens where Python says.
function adopt(view) {
  const { data } = view, { opened } = data;
  if (view.gamma === undefined) {
    view.gamma = nearest(data.gammas, opened.gamma);
    view.two = opened.weight !== null;
    view.weight = nearest(data.gammas, opened.weight ?? opened.gamma);
    view.level = nearest(data.imbalances, opened.imbalance);
    view.sort = opened.sort;
    view.chosen = opened.chosen;
    view.whole = opened.whole;
  }
  if (!view.ownAlpha) view.alpha = opened.alpha;
  view.alpha = Math.min(view.alpha, data.mostAlpha);
  if (!data.panels.some(({ classes }) => classes.includes(view.chosen))) view.chosen = null;
}

// ---- building ------------------------------------------------------------------------------------------------------

function build(view) {
  const { data, find } = view;
  Object.assign(find("#gamma"), { max: data.gammas.length - 1 });
  Object.assign(find("#weight"), { max: data.gammas.length - 1 });
  Object.assign(find("#alpha"), { max: data.mostAlpha });
  Object.assign(find("#imbalance"), { max: data.imbalances.length - 1 });
  find(".dial.imbalance").hidden = !data.panels.some(({ taken }) => taken);
  view.panels = data.panels.map((about) => panel(view, about));
  find(".panels").classList.toggle("two", view.panels.length > 1);
  find(".panels").replaceChildren(...view.panels.map(({ place }) => place));
  shape(view);
}

function panel(view, about) {
  const place = element("section", "panel"), header = element("header"), pair = element("div", "pair");
  place.setAttribute("aria-label", `${about.title}, ${about.subtitle}`);
  const note = element("p", "");
  header.append(element("h3", "", about.title), note);
  const [bars, cloud] = ["bars", "cloud"].map((kind) => node("svg", { class: `figure ${kind}`, role: kind === "bars" ? "group" : "application" }));
  const left = element("figure"), right = element("figure"), more = element("button", "more"), read = element("p", "read");
  more.type = "button";
  more.addEventListener("click", () => { view.whole = !view.whole; shape(view); draw(view); settle(view); });
  left.append(bars, more);
  right.append(cloud);
  pair.append(left, right);
  read.setAttribute("aria-live", "polite");
  place.append(header, pair, read);
  const made = {
    ...about, place, note, bars, cloud, more, read,
    tempered: unpack(about.tempered, Float32Array), energies: unpack(about.energies, Float32Array), shares: unpack(about.shares, Uint16Array),
    labels: unpack(about.labels, Uint16Array), numbers: unpack(about.numbers, Uint32Array), ranks: unpack(about.ranks, Uint16Array), kinds: unpack(about.kinds, Uint16Array),
  };
  made.point = null;
  made.z = new Float32Array(made.energies.length);
  const sorted = made.energies.slice().sort();
  made.low = sorted[Math.floor(0.005 * sorted.length)] ?? 0;
  made.high = sorted[Math.floor(0.995 * sorted.length)] ?? 0;
  cloud.setAttribute("tabindex", 0);
  cloud.addEventListener("pointermove", (event) => hover(view, made, at(view, made, event)));
  for (const kind of ["pointerleave", "blur"]) cloud.addEventListener(kind, () => forget(view, made));
  cloud.addEventListener("keydown", (event) => walk(view, made, event));
  cloud.addEventListener("click", (event) => {
    const point = at(view, made, event);
    choose(view, point === null ? null : made.classes[made.labels[point]], true);
  });
  return made;
}

// Everything that depends on the width, once; `draw` only moves it.
function shape(view) {
  for (const one of view.panels) {  // widths are read before anything is written, or the browser would lay out twice
    one.width = one.bars.clientWidth || 600;
    one.across = one.cloud.clientWidth || 400;
  }
  for (const one of view.panels) {
    one.wide = one.width >= 500;
    one.cut = one.classes.length > MOST && !view.whole ? MOST : one.classes.length;
    one.more.hidden = one.classes.length <= MOST;
    one.more.textContent = view.whole ? `Show ${MOST} classes` : `Show all ${one.classes.length} classes`;
    const letters = Math.max(...one.classes.map((name) => name.length));
    one.left = Math.min(Math.max(letters * 7.2 + 10, 56), one.wide ? 140 : 84);
    one.weightAt = one.width;
    one.marginAt = one.width - 58;
    one.liftAt = one.wide ? one.marginAt - 150 : one.marginAt - 58;
    one.right = one.liftAt - (one.wide ? 22 : 8);
    one.rows = one.classes.map((name, i) => line(view, one, name, i));
    one.link = node("polyline", { class: "link" });
    one.uniform = node("line", { class: "uniform" });
    one.frame = node("g", {});
    one.rowsPlace = node("g", {});
    one.dots = node("g", {});
    one.bars.replaceChildren(one.frame, one.uniform, one.rowsPlace, one.link, one.dots);
    one.region = node("path", { class: "asked" });
    one.edge = node("path", { class: "edge", fill: "none" });
    one.axes = node("g", {});
    one.paths = ["point free dim", "point dim", "point free", "point"].map((kind) => node("path", { class: kind }));
    one.near = node("circle", { class: "near", r: 9, visibility: "hidden" });
    one.sides = ["too typical: pushed up", "left alone"].map((words, i) => text(words, { class: "side", "text-anchor": i ? "end" : "start", y: 16 }));
    one.cloud.replaceChildren(node("rect", { width: "100%", height: "100%", fill: "transparent" }), one.region, one.axes, ...one.paths, one.edge, ...one.sides, one.near);
  }
}

function line(view, one, name, index) {
  const place = node("g", { class: "row" }), hit = node("rect", { class: "hit", x: 0, width: one.width, height: ROW, rx: 5, role: "button", tabindex: 0 });
  const label = text(clip(name, one.left - 8), { class: "name", x: 4, y: 20 });
  const bar = node("rect", { class: "bar", x: one.left, y: 7, height: 16, rx: 2 }), average = node("line", { class: "average", y1: 5, y2: 25 });
  const count = text("", { class: "count", y: 19 }), lift = node("line", { class: "lift", y1: 15, y2: 15 }), lifted = node("circle", { class: "lifted", cy: 15, r: 3.5 });
  const margin = text("", { class: "number", x: one.marginAt - 6, y: 19, "text-anchor": "end" }), weight = text("", { class: "number", x: one.weightAt - 4, y: 19, "text-anchor": "end" });
  hit.addEventListener("click", () => choose(view, view.chosen === name ? null : name, true));
  hit.addEventListener("keydown", (event) => press(view, one, event, name));
  place.append(hit, label, bar, average, count, ...(one.wide ? [lift, lifted] : []), margin, weight);
  const dot = node("circle", { class: "dot", r: 5, "pointer-events": "none" });
  for (const part of [label, bar, average, count, lift, lifted, margin, weight]) part.setAttribute("pointer-events", "none");
  return { name, index, place, hit, bar, average, count, lift, lifted, margin, weight, dot };
}

// ---- drawing -------------------------------------------------------------------------------------------------------

function draw(view) {
  const { data } = view;
  dials(view);
  for (const one of view.panels) look(view, one);
  const top = Math.max(...view.panels.map((one) => Math.max(one.most, ...one.margins)));
  const shared = {
    share: 1.16 * top,
    z: 1.06 * Math.max(...view.panels.map((one) => Math.max(...one.margins))),
    lift: Math.max(...view.panels.map((one) => view.alpha * Math.max(...one.margins)), 1e-9),
    low: Math.min(...view.panels.map(({ low }) => low)), high: Math.max(...view.panels.map(({ high, margin }) => Math.max(high, margin + data.mostAlpha / 5))),
  };
  view.scale = shared;
  for (const one of view.panels) { bars(view, one, shared); cloud(view, one, shared); read(view, one); }
}

function dials(view) {
  const { data, find } = view;
  set(find("#gamma"), view.gamma, data.gammas.length - 1, short(data.gammas[view.gamma]));
  set(find("#weight"), view.weight, data.gammas.length - 1, short(data.gammas[view.weight]));
  set(find("#alpha"), view.alpha, data.mostAlpha, fixed(view.alpha));
  set(find("#imbalance"), view.level, data.imbalances.length - 1, `${short(data.imbalances[view.level])} : 1`);
  find(".dial.weight").hidden = !view.two;
  find("#two").checked = view.two;
  for (const button of view.root.querySelectorAll("[data-sort]")) button.setAttribute("aria-pressed", button.dataset.sort === view.sort);
}

function set(dial, value, most, words) {
  dial.value = value;
  dial.style.setProperty("--at", most ? value / most : 0);
  dial.setAttribute("aria-valuetext", words);
  dial.nextElementSibling.textContent = words;
}

// What the present setting means for one panel: looked up, and Z of each point.
function look(view, one) {
  const level = one.taken ? view.level : 0, k = one.classes.length, gammas = view.data.gammas.length;
  const table = (gamma) => one.tempered.subarray((level * gammas + gamma) * k, (level * gammas + gamma + 1) * k);
  one.level = level;
  one.margins = table(view.gamma);
  one.weights = view.two ? table(view.weight) : one.margins;
  one.total = one.counts[level].reduce((sum, count) => sum + count, 0);
  one.most = Math.max(...one.counts[level].map((count) => count / one.total), ...one.average[level]);
  for (let i = 0; i < one.z.length; i++) {
    let sum = 0;
    for (let j = 0, from = i * k; j < k; j++) sum += one.shares[from + j] * one.margins[j];
    one.z[i] = sum / FULL;
  }
  one.order = one.classes.map((_, i) => i).sort((a, b) => view.sort === "name"
    ? one.classes[a].localeCompare(one.classes[b]) : one.counts[level][b] - one.counts[level][a] || a - b).slice(0, one.cut);
}

const taken = (one, i) => !one.taken || one.ranks[i] < one.taken[one.level][one.kinds[i]];
const pushed = (view, one, i) => one.energies[i] < one.margin + view.alpha * one.z[i];

function bars(view, one, { share, lift }) {
  const counts = one.counts[one.level], average = one.average[one.level], bottom = HEAD + ROW * one.order.length;
  const x = (value) => one.left + (one.right - one.left) * Math.min(1, value / share);
  const liftWide = one.marginAt - 62 - one.liftAt;
  one.bars.setAttribute("height", bottom + FOOT);
  one.bars.setAttribute("aria-label", `${one.title}: classes of ${one.total.toLocaleString("en")} outliers`);
  one.note.textContent = `${one.subtitle} · ${one.total.toLocaleString("en")} outliers counted`;
  const frame = ticks(0, share, Math.max(2, (one.right - one.left) / 70)).flatMap((tick) => [
    node("line", { class: "grid", x1: x(tick), x2: x(tick), y1: HEAD - 4, y2: bottom }), text(`${short(100 * tick)}%`, { class: "tick", x: x(tick), y: bottom + 15, "text-anchor": "middle" })]);
  frame.push(text("share", { class: "head", x: one.left, y: 14 }), text(one.wide ? "margin  m + αZ" : "margin", { class: "head", x: one.wide ? one.liftAt : one.marginAt - 6, y: 14, "text-anchor": one.wide ? "start" : "end" }),
    text("weight", { class: "head", x: one.weightAt - 4, y: 14, "text-anchor": "end" }));
  if (one.wide) frame.push(node("line", { class: "base", x1: one.liftAt, x2: one.liftAt, y1: HEAD - 2, y2: bottom }), text(`m = ${fixed(one.margin)}`, { class: "tick", x: one.liftAt - 2, y: bottom + 15 }));
  one.frame.replaceChildren(...frame);
  const uniform = x(1 / one.classes.length);
  for (const [name, value] of Object.entries({ x1: uniform, x2: uniform, y1: HEAD - 2, y2: bottom })) one.uniform.setAttribute(name, value);
  const shown = one.order.map((i) => one.rows[i]);
  if (shown.length !== one.rowsPlace.children.length || shown.some(({ place }, i) => one.rowsPlace.children[i] !== place)) {
    const focused = view.root.getRootNode().activeElement;
    one.rowsPlace.replaceChildren(...shown.map(({ place }) => place));
    one.dots.replaceChildren(...shown.map(({ dot }) => dot));
    if (focused?.classList.contains("hit")) focused.focus();
  }
  shown.forEach((row, rank) => {
    const i = row.index, y = HEAD + ROW * rank, own = counts[i] / one.total, on = row.name === view.chosen;
    row.place.setAttribute("transform", `translate(0 ${y})`);
    row.place.classList.toggle("on", on);
    row.hit.setAttribute("aria-pressed", on);
    row.hit.setAttribute("aria-label", `${row.name}: ${percent(own)} of the outliers, margin ${fixed(one.margin + view.alpha * one.margins[i])}, weight ${times(one, i)}`);
    row.bar.setAttribute("width", Math.max(0, x(own) - one.left));
    for (const end of ["x1", "x2"]) row.average.setAttribute(end, x(average[i]));
    row.count.textContent = one.wide ? percent(own) : "";
    const marks = [x(own), x(average[i]), x(one.margins[i])].sort((a, b) => a - b), free = marks[2] + 10;
    row.count.setAttribute("x", free);
    row.count.setAttribute("visibility", free + 40 < one.right ? "visible" : "hidden");
    const end = one.liftAt + liftWide * (view.alpha * one.margins[i]) / lift;
    row.lift.setAttribute("x1", one.liftAt);
    row.lift.setAttribute("x2", end);
    row.lifted.setAttribute("cx", end);
    row.margin.textContent = fixed(one.margin + view.alpha * one.margins[i]);
    row.weight.textContent = times(one, i);
    row.dot.setAttribute("cx", x(one.margins[i]));
    row.dot.setAttribute("cy", y + ROW / 2);
  });
  one.link.setAttribute("points", shown.map((row, rank) => `${x(one.margins[row.index])},${HEAD + ROW * rank + ROW / 2}`).join(" "));
}

const times = (one, i) => `×${fixed(one.classes.length * one.weights[i])}`;

function cloud(view, one, { z, low, high }) {
  const width = one.across, height = one.height = Math.max(CLOUD, Math.min(HEAD + ROW * one.order.length + FOOT, 420)), bottom = height - 40, left = 44;
  const room = 0.03 * (high - low);
  one.x = (energy) => left + (width - left - 6) * Math.min(1, Math.max(0, (energy - low + room) / (high - low + 2 * room)));
  one.y = (value) => bottom - (bottom - 26) * Math.min(1, value / z);
  one.cloud.setAttribute("height", height);
  const axes = [node("line", { class: "base", x1: left, x2: width, y1: bottom, y2: bottom })];
  for (const tick of ticks(low, high, Math.max(2, (width - left) / 60))) axes.push(node("line", { class: "base", x1: one.x(tick), x2: one.x(tick), y1: bottom, y2: bottom + 4 }), text(short(tick), { class: "tick", x: one.x(tick), y: bottom + 16, "text-anchor": "middle" }));
  for (const tick of ticks(0, z, 4)) axes.push(node("line", { class: "grid", x1: left, x2: width, y1: one.y(tick), y2: one.y(tick) }), text(short(tick), { class: "tick", x: left - 6, y: one.y(tick) + 4, "text-anchor": "end" }));
  axes.push(text("energy (higher = more out-of-distribution)", { class: "head", x: width, y: bottom + 32, "text-anchor": "end" }), text("Z", { class: "head", x: left - 6, y: 16, "text-anchor": "end" }));
  one.axes.replaceChildren(...axes);
  const foot = one.x(one.margin), top = one.x(one.margin + view.alpha * z), ceiling = one.y(z);
  one.region.setAttribute("d", `M${left} ${bottom}V${ceiling}H${top}L${foot} ${bottom}Z`);
  one.edge.setAttribute("d", `M${foot} ${bottom}L${top} ${ceiling}`);
  one.sides[0].setAttribute("x", left + 8);
  one.sides[1].setAttribute("x", width - 2);
  const paths = ["", "", "", ""], chosen = view.chosen === null ? -1 : one.classes.indexOf(view.chosen);
  let count = 0, under = 0;
  for (let i = 0; i < one.z.length; i++) {
    if (!taken(one, i)) continue;
    const low = pushed(view, one, i), bright = view.chosen === null || one.labels[i] === chosen;
    if (bright) { count++; under += low; }
    paths[(bright ? 2 : 0) + (low ? 1 : 0)] += triangle(one.x(one.energies[i]), one.y(one.z[i]));
  }
  one.shown = count;
  one.pushed = under;
  paths.forEach((path, i) => one.paths[i].setAttribute("d", path));
  one.cloud.setAttribute("aria-label", `${count} outliers by energy and Z; ${under} lie below their margin. Arrow keys go from outlier to outlier, Enter chooses the class of one.`);
}

const triangle = (x, y) => `M${Math.round(10 * x) / 10} ${Math.round(10 * y - 40) / 10}l3.7 6.4h-7.4z`;

// The formula with the numbers of the class that is looked at.
function read(view, one) {
  const i = one.classes.indexOf(view.chosen), share = percent(one.shown ? one.pushed / one.shown : 0);
  const parts = [];
  if (i < 0) {
    const [first, last] = extremes(one);
    const drawn = (c) => fixed(one.margin + view.alpha * one.margins[c]);
    parts.push("An outlier wholly taken for ", bold(one.classes[first]), ` must reach an energy of `, code(drawn(first)), ", one taken for ", bold(one.classes[last]), " only ", code(drawn(last)), ". ");
    parts.push(`Of ${one.shown.toLocaleString("en")} outliers drawn, ${share} lie below their own margin: the loss pushes these up. Click a class to see its outliers.`);
  } else {
    const z = one.margins[i];
    parts.push(bold(view.chosen), ` takes ${percent(one.counts[one.level][i] / one.total)} of the outliers. Tempered with γ = ${short(view.data.gammas[view.gamma])}, its share is Z = `, code(three(z)), ". An outlier wholly taken for it must reach ");
    parts.push(code(`m + αZ = ${fixed(one.margin)} + ${fixed(view.alpha)} · ${three(z)} = ${fixed(one.margin + view.alpha * z)}`), " and counts ", code(times(one, i)), " as much as one of the average class. ");
    parts.push(one.shown ? `Of its ${one.shown.toLocaleString("en")} outliers drawn here, ${share} lie below their own margin and are pushed up.` : "None of the outliers drawn here is taken for it.");
  }
  one.read.replaceChildren(...parts);
}

function extremes(one) {
  const order = one.classes.map((_, i) => i).sort((a, b) => one.margins[b] - one.margins[a]);
  return [order[0], order.at(-1)];
}

// ---- hands ---------------------------------------------------------------------------------------------------------

function press(view, one, event, name) {
  const here = one.order.findIndex((i) => one.classes[i] === name), step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Enter" || event.key === " ") choose(view, view.chosen === name ? null : name, true);
  else if (event.key === "Escape") choose(view, null, true);
  else if (step) one.rows[one.order[here + step]]?.hit.focus();
  else return;
  event.preventDefault();
}

function choose(view, name, tell) {
  if (view.chosen === name) return;
  view.chosen = name;
  draw(view);
  if (tell) settle(view);
}

function at(view, one, event) {
  const box = one.cloud.getBoundingClientRect(), x = event.clientX - box.x, y = event.clientY - box.y;
  let best = null, least = NEAR * NEAR;
  for (const i of bright(view, one)) {
    const far = (one.x(one.energies[i]) - x) ** 2 + (one.y(one.z[i]) - y) ** 2;
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

// Those that can be looked at: drawn, and of the chosen class if there is one.
const bright = (view, one) => Array.from(one.z.keys()).filter((i) => taken(one, i) && (view.chosen === null || one.classes[one.labels[i]] === view.chosen));

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function walk(view, one, event) {
  if (WAYS[event.key]) hover(view, one, next(view, one, WAYS[event.key]));
  else if (event.key === "Enter" && one.point !== null) choose(view, one.classes[one.labels[one.point]], true);
  else if (event.key === "Escape") { forget(view, one); choose(view, null, true); }
  else return;
  event.preventDefault();
}

// The nearest outlier in a direction, from the one looked at or the middle; sideways counts double.
function next(view, one, [dx, dy]) {
  const from = one.point === null ? [one.across / 2, one.height / 2] : [one.x(one.energies[one.point]), one.y(one.z[one.point])];
  let best = one.point, least = Infinity;
  for (const i of bright(view, one)) {
    const x = one.x(one.energies[i]) - from[0], y = one.y(one.z[i]) - from[1], along = x * dx + y * dy;
    const cost = along + 2 * Math.abs(x * dy + y * dx);
    if (along > 0.5 && cost < least) [best, least] = [i, cost];
  }
  return best;
}

function hover(view, one, point) {
  const { tip } = view;
  if (point === null) return forget(view, one);
  one.point = point;
  const x = one.x(one.energies[point]), y = one.y(one.z[point]);
  for (const [name, value] of Object.entries({ cx: x, cy: y, visibility: "visible" })) one.near.setAttribute(name, value);
  if (tip.dataset.point !== `${view.panels.indexOf(one)}/${point}`) {
    tip.dataset.point = `${view.panels.indexOf(one)}/${point}`;
    const words = element("div");
    words.append(element("b", "", `taken for ${one.classes[one.labels[point]]}`), element("span", "energy", ""), element("span", "z", ""));
    tip.replaceChildren(...(one.pictures ? [picture(`${one.pictures}${one.numbers[point]}.png`)] : []), words);
  }
  tip.querySelector(".energy").textContent = `energy ${fixed(one.energies[point])}, Z ${three(one.z[point])}`;
  tip.querySelector(".z").textContent = `margin ${fixed(one.margin + view.alpha * one.z[point])}: ${pushed(view, one, point) ? "pushed up" : "left alone"}`;
  tip.hidden = false;
  const outer = view.root.getBoundingClientRect(), inner = one.cloud.getBoundingClientRect();
  const left = inner.x - outer.x + x, top = inner.y - outer.y + y, wide = tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(outer.width - wide, left + 16 + wide > outer.width ? left - wide - 14 : left + 14))}px`;
  tip.style.top = `${top + 12}px`;
}

function forget(view, one) {
  one.point = null;
  one.near.setAttribute("visibility", "hidden");
  view.tip.hidden = true;
}

function settle(view) {
  const { data } = view;
  view.report("setting", {
    gamma: data.gammas[view.gamma], weight: view.two ? data.gammas[view.weight] : null, alpha: view.alpha,
    imbalance: data.imbalances[view.level], sort: view.sort, chosen: view.chosen, whole: view.whole,
  });
}

// ---- numbers and nodes ---------------------------------------------------------------------------------------------

function nearest(values, wanted) {
  let best = 0;
  values.forEach((value, i) => { if (Math.abs(value - wanted) < Math.abs(values[best] - wanted)) best = i; });
  return best;
}

const minus = (words) => words.replace("-", "−");
const short = (value) => minus(String(Number(value.toPrecision(6))));
const fixed = (value) => minus(value.toFixed(2));
const three = (value) => value.toFixed(3);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const clip = (name, width) => name.length * 6.8 > width ? `${name.slice(0, Math.max(1, Math.floor(width / 6.8) - 1))}…` : name;

function unpack(words, Kind) {
  const bytes = Uint8Array.from(atob(words), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

function key(words, ...marks) {
  const item = element("span"), sample = node("svg", { viewBox: "0 0 22 14", "aria-hidden": "true" });
  sample.append(...marks);
  item.append(sample, words);
  return item;
}

function picture(source) {
  const image = element("img");
  image.src = source;
  image.alt = "";
  return image;
}

const bold = (words) => element("b", "", words);
const code = (words) => element("code", "", words);
