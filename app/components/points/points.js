// Maps of thousands of images, one or two side by side. An image is known by its id, SET/ROW, everywhere: a selection, a
// thumbnail and a hover never depend on where in a list it stands. Python hears of a selection once, on release.

const views = new WeakMap();
const SHAPES = {
  id: (x, y, r) => `M${f(x - r)} ${f(y)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
  aux: (x, y, r) => `M${f(x)} ${f(y - 1.2 * r)}L${f(x + 1.12 * r)} ${f(y + 0.82 * r)}L${f(x - 1.12 * r)} ${f(y + 0.82 * r)}Z`,
  ood: (x, y, r) => `M${f(x)} ${f(y - 1.25 * r)}L${f(x + 1.25 * r)} ${f(y)}L${f(x)} ${f(y + 1.25 * r)}L${f(x - 1.25 * r)} ${f(y)}Z`,
};
const ORDER = { aux: 0, ood: 1, id: 2 }, BINS = 24, PAD = 26, NEAR = 12, ROWS = 4, SIDES = ["A", "B"];
const f = (value) => value.toFixed(1);
const signed = (text) => text.replace("-", "−");
const number = (value) => (Number.isFinite(value) ? signed(value.toFixed(Math.abs(value) < 100 ? 2 : 0)) : "–");

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".points");
  const view = views.get(root) ?? mount(root);
  view.hidden ??= new Set(data.hidden);
  view.selected ??= new Set(Object.entries(data.selected).flatMap(([name, rows]) => rows.map((row) => `${name}/${row}`)));
  view.sort ??= data.sort;
  Object.assign(view, { data, report: setStateValue });
  view.colour = data.colours.some(({ key }) => key === view.colour) ? view.colour : data.colour;
  read(view);
  fill(view);
  const watch = new ResizeObserver(() => { drawAll(view); if (view.across !== across(view)) gallery(view); });
  for (const panel of view.panels) watch.observe(panel.stage);
  refresh(view);
  return () => watch.disconnect();
}

function mount(root) {
  const find = (query) => root.querySelector(query);
  const view = { root, find, mode: matchMedia("(pointer: coarse)").matches ? "scroll" : "lasso", hidden: null, selected: null, zooms: new Map(), pictures: new Map(), rows: ROWS };
  views.set(root, view);
  find(".modes").addEventListener("click", ({ target }) => target.dataset.mode && setMode(view, target.dataset.mode));
  find(".zoom").addEventListener("click", ({ target }) => target.dataset.zoom && view.panels.forEach((panel) => zoom(panel, Number(target.dataset.zoom))));
  find(".saves").addEventListener("click", ({ target }) => target.dataset.save && save(view, target.dataset.save));
  find(".colour select").addEventListener("change", ({ target }) => { view.colour = target.value; view.report("colour", target.value); refresh(view); });
  find(".sort select").addEventListener("change", ({ target }) => { view.sort = target.value; view.report("sort", target.value); gallery(view); });
  find(".clear").addEventListener("click", () => choose(view, [], "only"));
  find(".more").addEventListener("click", () => { view.rows *= 3; gallery(view); });
  return view;
}

// ---- reading -------------------------------------------------------------------------------------------------------

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
const floats = (text) => (text === null ? null : new Float32Array(bytes(text)));
const whole = (text) => new Int16Array(bytes(text));

function read(view) {
  const old = view.panels ?? [];
  view.panels = view.data.panels.map((given, side) => {
    const set = whole(given.set), row = whole(given.row);
    const panel = {
      ...given, view, side, set, row, n: set.length, x: floats(given.x), y: floats(given.y), label: whole(given.label), nearest: whole(given.nearest),
      values: { energy: floats(given.energy), representation: floats(given.representation) },
      ids: Array.from(set, (number, i) => `${view.data.sets[number].name}/${row[i]}`), zoom: view.zooms.get(given.key) ?? { k: 1, x: 0, y: 0 },
    };
    panel.index = new Map(panel.ids.map((id, i) => [id, i]));
    view.zooms.set(given.key, panel.zoom);
    panel.bounds = bounds(panel);
    return Object.assign(panel, old[side]?.parts);
  });
  const there = new Set(view.panels.flatMap(({ ids, photos }) => [...ids, ...photos.map(({ id }) => id)]));
  for (const id of view.selected) if (!there.has(id)) view.selected.delete(id);
  for (const { sheet } of view.data.sets) if (sheet) fetchPicture(view, sheet.url);
  for (const { photos } of view.panels) for (const { source } of photos) fetchPicture(view, source);
}

function bounds({ x, y, n, centers }) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (u, v) => { box[0] = Math.min(box[0], u); box[1] = Math.min(box[1], v); box[2] = Math.max(box[2], u); box[3] = Math.max(box[3], v); };
  for (let i = 0; i < n; i++) take(x[i], y[i]);
  for (const center of centers) take(center.x, center.y);
  const [left, low, right, high] = box;
  return { x: (left + right) / 2, y: (low + high) / 2, width: right - left || 1, height: high - low || 1 };
}

function fetchPicture(view, source) {
  if (view.pictures.has(source)) return;
  const image = new Image();
  view.pictures.set(source, image);
  image.onload = () => drawAll(view);
  image.src = source;
}

const roleOf = (panel, i) => panel.view.data.sets[panel.set[i]].role;
const shown = (panel, i) => !panel.view.hidden.has(panel.view.data.sets[panel.set[i]].name);

// ---- building ------------------------------------------------------------------------------------------------------

function fill(view) {
  const { find, data } = view, box = find(".panels");
  box.style.setProperty("--across", view.panels.length);
  while (box.children.length > view.panels.length) box.lastChild.remove();
  view.panels.forEach((panel, side) => {
    const figure = box.children[side] ?? box.appendChild(stage(view, side));
    panel.parts = figure.parts;
    Object.assign(panel, panel.parts);
    panel.caption.replaceChildren(element("b", "", lettered(view, side, " · ") + panel.title), element("span", "", panel.words));
    panel.noteBox.textContent = panel.note;
    panel.top.setAttribute("aria-label", `Map of ${panel.title}. ${panel.words}. Arrow keys go from image to image, Enter selects, Escape clears.`);
  });
  options(find(".colour select"), data.colours.map(({ key, title }) => [key, title]), view.colour);
  const sorts = view.panels.flatMap((panel, side) => ["energy", "representation"].filter((name) => panel.values[name]).flatMap((name) => {
    const where = view.panels.length > 1 ? ` in ${SIDES[side]}` : "", title = name === "energy" ? "energy" : "representation score";
    return [[`${side} ${name} 1`, `${title}${where}, highest first`], [`${side} ${name} -1`, `${title}${where}, lowest first`]];
  }));
  view.sort = sorts.some(([key]) => key === view.sort) ? view.sort : sorts[0]?.[0];
  options(find(".sort select"), sorts, view.sort);
  setMode(view, view.mode);
}

function stage(view, side) {
  const figure = element("figure", "panel"), caption = element("figcaption", ""), frame = element("div", "stage"), noteBox = element("p", "note");
  const base = element("canvas", "base"), top = element("canvas", "top");
  base.setAttribute("aria-hidden", "true");
  top.tabIndex = 0;
  top.setAttribute("role", "application");
  frame.append(base, top);
  figure.append(caption, frame, noteBox);
  figure.parts = { stage: frame, caption, noteBox, base, top };
  const now = () => view.panels[side];
  top.addEventListener("pointerdown", (event) => grab(now(), event));
  top.addEventListener("pointermove", (event) => !now().drag && hover(now(), hit(now(), place(now(), event))));
  top.addEventListener("pointerleave", () => !now().drag && hover(now(), null));
  top.addEventListener("blur", () => hover(now(), null));
  top.addEventListener("wheel", (event) => turn(now(), event), { passive: false });
  top.addEventListener("keydown", (event) => press(now(), event));
  return figure;
}

function options(select, entries, value) {
  select.replaceChildren(...entries.map(([key, title]) => Object.assign(element("option", "", title), { value: key })));
  select.value = value;
}

function setMode(view, mode) {
  view.mode = mode;
  for (const button of view.root.querySelectorAll(".modes button")) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  for (const panel of view.panels) panel.stage.dataset.mode = mode;
}

function refresh(view) {
  drawAll(view);
  legend(view);
  gallery(view);
}

// ---- drawing -------------------------------------------------------------------------------------------------------

function drawAll(view) {
  for (const panel of view.panels) draw(panel);
}

function draw(panel) {
  const { base, stage } = panel, width = (panel.width = stage.clientWidth), height = (panel.height = stage.clientHeight);
  if (!width) return;
  const sharp = devicePixelRatio || 1;
  for (const canvas of [base, panel.top]) if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(height * sharp)) Object.assign(canvas, { width: Math.round(width * sharp), height: Math.round(height * sharp) });
  const pen = base.getContext("2d");
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, width, height);
  for (const item of scene(panel)) paint(pen, item, panel.view);
  overlay(panel);
}

const at = (panel, x, y) => {
  const { bounds, zoom: { k, x: dx, y: dy } } = panel;
  const size = Math.min((panel.width - 2 * PAD) / bounds.width, (panel.height - 2 * PAD) / bounds.height);
  return [panel.width / 2 + ((x - bounds.x) * size + dx) * k, panel.height / 2 + ((bounds.y - y) * size + dy) * k];
};

// What is drawn, in order: one entry per colour and shape, so that thousands of points cost a few dozen strokes.
function scene(panel) {
  const { view } = panel, { selected, data } = view, tones = toned(panel), size = radius(panel), buckets = new Map(), few = selected.size < panel.n / 3;
  for (let i = 0; i < panel.n; i++) {
    if (!shown(panel, i)) continue;
    const role = roleOf(panel, i), on = selected.size ? selected.has(panel.ids[i]) : null, tone = tones(i);
    const key = `${on === false ? 0 : 1}${on ? 1 : 0}${ORDER[role]}${tone}`;
    let bucket = buckets.get(key);
    if (!bucket) buckets.set(key, (bucket = { key, role, fill: tone, on, parts: [] }));
    const [x, y] = at(panel, panel.x[i], panel.y[i]);
    if (x > -9 && y > -9 && x < panel.width + 9 && y < panel.height + 9) bucket.parts.push(SHAPES[role](x, y, on ? size + 1 : size));
  }
  const found = [...buckets.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ role, fill, on, parts }) => ({
    path: parts.join(""), fill, alpha: on === false ? 0.2 : 1, stroke: on && few ? data.tones.text : null, width: 0.8,
  }));
  return [...found, ...centres(panel), ...photographs(panel)];
}

const radius = (panel) => Math.round(10 * Math.min(5, 2.5 * Math.sqrt(panel.width / 560) * panel.zoom.k ** 0.35)) / 10;

function toned(panel) {
  const { colour, data } = panel.view, { tones } = data;
  if (colour === "class") return (i) => (panel.label[i] >= 0 ? tones.classes[panel.label[i] % tones.classes.length] : tones.mute);
  const values = panel.values[colour], range = panel.scales[colour];
  if (!values || !range) return colour === "set" ? (i) => tones[roleOf(panel, i)] : () => tones.mute;
  const steps = ramp(tones);
  return (i) => steps[bin(values[i], range)];
}

// Blue up to the threshold, orange beyond it: the middle of the ramp is where the decision changes.
const bin = (value, { low, middle, high }) => {
  const share = value < middle ? (0.5 * (value - low)) / (middle - low || 1) : 0.5 + (0.5 * (value - middle)) / (high - middle || 1);
  return Math.max(0, Math.min(BINS - 1, Math.floor(share * BINS)));
};
const ramp = (tones) => Array.from({ length: BINS }, (_, i) => {
  const share = (i + 0.5) / BINS;
  return share < 0.5 ? mix(tones.id, tones.middle, share / 0.5) : mix(tones.middle, tones.ood, (share - 0.5) / 0.5);
});
const channels = (tone) => [1, 3, 5].map((start) => parseInt(tone.slice(start, start + 2), 16));
const mix = (from, to, share) => `#${channels(from).map((value, i) => Math.round(value + share * (channels(to)[i] - value)).toString(16).padStart(2, "0")).join("")}`;

function centres(panel) {
  const { tones, classes } = panel.view.data, marks = [], names = [], few = panel.centers.length <= 24;
  for (const { x, y, owner } of panel.centers) {
    const [cx, cy] = at(panel, x, y);
    const fill = panel.view.colour === "class" ? tones.classes[owner % tones.classes.length] : tones.text;
    marks.push({ path: panel.trained ? star(cx, cy, 8) : cross(cx, cy, 6), fill, alpha: 1, stroke: tones.page, width: 3, under: true });
    if (few) names.push({ text: classes[owner], x: cx, y: cy - 12, fill: tones.text, halo: tones.page });
  }
  return [...marks, ...names];
}

const star = (x, y, r) => `${Array.from({ length: 10 }, (_, i) => {
  const angle = (Math.PI * i) / 5 - Math.PI / 2, reach = i % 2 ? r * 0.42 : r;
  return `${i ? "L" : "M"}${f(x + reach * Math.cos(angle))} ${f(y + reach * Math.sin(angle))}`;
}).join("")}Z`;
const cross = (x, y, r) => `M${f(x - r)} ${f(y - 1.5)}h${r - 1.5}v${-(r - 1.5)}h3v${r - 1.5}h${r - 1.5}v3h${-(r - 1.5)}v${r - 1.5}h-3v${-(r - 1.5)}h${-(r - 1.5)}Z`;

function photographs(panel) {
  const { tones } = panel.view.data, size = 12;
  return panel.photos.flatMap((photo) => {
    const [x, y] = at(panel, photo.x, photo.y), on = panel.view.selected.has(photo.id);
    const parts = [{ image: photo.source, x, y, r: size }, { path: SHAPES.id(x, y, size), stroke: photo.far ? tones.ood : tones.text, width: on ? 4 : 2.5, dash: photo.far ? [5, 3] : null, alpha: 1 }];
    if (photo.far) parts.push({ text: "far", x, y: y + size + 12, fill: tones.oodText, halo: tones.page });
    return parts;
  });
}

function paint(pen, item, view) {
  pen.globalAlpha = item.alpha ?? 1;
  pen.setLineDash(item.dash ?? []);
  if (item.text !== undefined) {
    pen.font = `600 12px ${getComputedStyle(view.root).fontFamily}`;
    pen.textAlign = "center";
    Object.assign(pen, { lineWidth: 3.5, lineJoin: "round", strokeStyle: item.halo, fillStyle: item.fill });
    pen.strokeText(item.text, item.x, item.y);
    pen.fillText(item.text, item.x, item.y);
  } else if (item.image !== undefined) {
    const picture = view.pictures.get(item.image);
    if (!picture?.complete || !picture.naturalWidth) return;
    pen.save();
    pen.beginPath();
    pen.arc(item.x, item.y, item.r, 0, 2 * Math.PI);
    pen.clip();
    pen.drawImage(picture, item.x - item.r, item.y - item.r, 2 * item.r, 2 * item.r);
    pen.restore();
  } else {
    const path = new Path2D(item.path);
    Object.assign(pen, { lineWidth: item.width, strokeStyle: item.stroke ?? "transparent", fillStyle: item.fill ?? "transparent" });
    if (item.stroke && item.under) pen.stroke(path);
    if (item.fill) pen.fill(path);
    if (item.stroke && !item.under) pen.stroke(path);
  }
}

// The thin layer above: the rope that is being drawn, and a ring around what the pointer or the keyboard is at.
function overlay(panel) {
  const { tones } = panel.view.data, pen = panel.top.getContext("2d"), sharp = devicePixelRatio || 1;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, panel.width, panel.height);
  const spot = spotOf(panel, panel.view.hovered);
  if (spot) {
    const ring = new Path2D(SHAPES.id(...spot, 8));
    Object.assign(pen, { lineWidth: 5, strokeStyle: tones.page });
    pen.stroke(ring);
    Object.assign(pen, { lineWidth: 2.5, strokeStyle: tones.text });
    pen.stroke(ring);
  }
  const rope = panel.drag?.rope;
  if (!rope || rope.length < 2) return;
  pen.beginPath();
  outline(panel.drag).forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  Object.assign(pen, { fillStyle: `${tones.text}18`, strokeStyle: tones.text, lineWidth: 1.5 });
  pen.fill();
  pen.setLineDash([4, 3]);
  pen.stroke();
  pen.setLineDash([]);
}

function spotOf(panel, id) {
  if (!id) return null;
  const i = panel.index.get(id), photo = panel.photos.find((one) => one.id === id);
  if (photo) return at(panel, photo.x, photo.y);
  return i === undefined || !shown(panel, i) ? null : at(panel, panel.x[i], panel.y[i]);
}

// ---- hands ---------------------------------------------------------------------------------------------------------

function place(panel, { clientX, clientY }) {
  const box = panel.stage.getBoundingClientRect();
  return [clientX - box.x, clientY - box.y];
}

function hit(panel, [px, py]) {
  let best = null, least = NEAR * NEAR;
  for (const { id, x, y } of panel.photos) {
    const [cx, cy] = at(panel, x, y), apart = (cx - px) ** 2 + (cy - py) ** 2;
    if (apart < 14 * 14) return id;
    if (apart < least) [best, least] = [id, apart];
  }
  for (let i = 0; i < panel.n; i++) {
    if (!shown(panel, i)) continue;
    const [cx, cy] = at(panel, panel.x[i], panel.y[i]), apart = (cx - px) ** 2 + (cy - py) ** 2;
    if (apart < least) [best, least] = [panel.ids[i], apart];
  }
  return best;
}

// The page scrolls past a map, unless the map is being moved or somebody asks to zoom; a pinch comes with ctrlKey.
function turn(panel, event) {
  if (panel.view.mode !== "move" && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  zoom(panel, event.deltaY < 0 ? 1.2 : 1 / 1.2, place(panel, event));
}

function grab(panel, event) {
  if (event.button !== 0) return;
  const { view, top } = panel, start = place(panel, event), from = { ...panel.zoom };
  const drag = (panel.drag = { mode: view.mode, rope: view.mode === "lasso" || view.mode === "box" ? [start] : null, far: 0, lost: false });
  hover(panel, null);
  const follow = (moved) => {
    const spot = place(panel, moved);
    drag.far = Math.max(drag.far, Math.hypot(spot[0] - start[0], spot[1] - start[1]));
    if (drag.rope) drag.rope.push(spot);
    else if (drag.mode === "move") Object.assign(panel.zoom, { x: from.x + (spot[0] - start[0]) / from.k, y: from.y + (spot[1] - start[1]) / from.k });
    drag.rope ? overlay(panel) : draw(panel);
  };
  const lose = () => { drag.lost = true; };  // the browser scrolls with this finger
  const leave = () => {
    top.removeEventListener("pointermove", follow);
    top.removeEventListener("pointercancel", lose);
    panel.drag = null;
    overlay(panel);
    if (drag.lost) return;
    const how = event.shiftKey || event.ctrlKey || event.metaKey ? "more" : event.altKey ? "less" : "only";
    if (drag.far < 5) {
      const found = hit(panel, start);
      if (found || drag.mode !== "move") choose(view, found ? [found] : [], found && how === "only" ? "only" : found ? "turn" : how);
    } else if (drag.rope) choose(view, caught(panel, outline(drag)), how);
  };
  top.setPointerCapture(event.pointerId);
  top.addEventListener("pointermove", follow);
  top.addEventListener("pointercancel", lose);
  top.addEventListener("lostpointercapture", leave, { once: true });
}

const outline = ({ mode, rope }) => {
  const [[x, y]] = rope, [u, v] = rope.at(-1);
  return mode === "box" ? [[x, y], [u, y], [u, v], [x, v]] : rope;
};

function caught(panel, polygon) {
  const found = panel.photos.filter(({ x, y }) => inside(at(panel, x, y), polygon)).map(({ id }) => id);
  for (let i = 0; i < panel.n; i++) if (shown(panel, i) && inside(at(panel, panel.x[i], panel.y[i]), polygon)) found.push(panel.ids[i]);
  return found;
}

function inside([x, y], polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

function zoom(panel, factor, [px, py] = [panel.width / 2, panel.height / 2]) {
  const now = panel.zoom, k = factor ? Math.max(1, Math.min(40, now.k * factor)) : 1;
  const [x, y] = [px - panel.width / 2, py - panel.height / 2];
  Object.assign(now, k === 1 ? { k, x: 0, y: 0 } : { k, x: now.x + x / k - x / now.k, y: now.y + y / k - y / now.k });
  draw(panel);
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function press(panel, event) {
  const { view } = panel, { key } = event, mode = { l: "lasso", b: "box", m: "move" }[key.toLowerCase()];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (WAYS[key]) hover(panel, next(panel, WAYS[key]), true);
  else if ((key === "Enter" || key === " ") && view.hovered) choose(view, [view.hovered], event.shiftKey ? "turn" : "only");
  else if (key === "Escape") choose(view, [], "only");
  else if (key === "+" || key === "-" || key === "0") zoom(panel, { "+": 1.5, "-": 1 / 1.5, 0: 0 }[key]);
  else if (mode) setMode(view, mode);
  else return;
  event.preventDefault();
}

// The nearest image in a direction; sideways counts double, so that repeated presses go roughly straight.
function next(panel, [dx, dy]) {
  const [px, py] = spotOf(panel, panel.view.hovered) ?? [panel.width / 2, panel.height / 2];
  let best = panel.view.hovered ?? null, least = Infinity;
  const look = (id, [x, y]) => {
    const along = (x - px) * dx + (y - py) * dy, aside = Math.abs((x - px) * dy) + Math.abs((y - py) * dx);
    const cost = along + 2 * aside;
    if (along > 0.5 && cost < least && id !== panel.view.hovered) [best, least] = [id, cost];
  };
  for (const photo of panel.photos) look(photo.id, at(panel, photo.x, photo.y));
  for (let i = 0; i < panel.n; i++) if (shown(panel, i)) look(panel.ids[i], at(panel, panel.x[i], panel.y[i]));
  return best;
}

function choose(view, ids, how) {
  if (how === "only") view.selected = new Set(ids);
  for (const id of ids) {
    if (how === "less" || (how === "turn" && view.selected.has(id))) view.selected.delete(id);
    else view.selected.add(id);
  }
  view.rows = ROWS;
  refresh(view);
  const told = {};
  for (const id of view.selected) {
    const cut = id.lastIndexOf("/"), name = id.slice(0, cut);
    (told[name] ??= []).push(name === "photo" ? id.slice(cut + 1) : Number(id.slice(cut + 1)));
  }
  view.report("selected", told);
}

function hover(panel, id, aloud = false) {
  const { view } = panel;
  if (view.hovered === id && !aloud) return;
  view.hovered = id;
  for (const each of view.panels) overlay(each);
  const tip = view.find(".tip"), spot = spotOf(panel, id);
  tip.hidden = !spot;
  if (!spot) return;
  tip.replaceChildren(...about(view, id));
  const box = panel.stage.getBoundingClientRect(), outer = view.root.getBoundingClientRect();
  const left = box.x - outer.x + spot[0], right = left + 226 > outer.width;
  Object.assign(tip.style, { left: `${Math.max(0, right ? left - 222 : left + 14)}px`, top: `${box.y - outer.y + Math.min(spot[1] + 12, box.height - 120)}px` });
  if (aloud) view.find(".status").textContent = describe(view, id);
}

// ---- words and pictures of one image -------------------------------------------------------------------------------

function photoOf(view, id) {
  return view.panels.flatMap(({ photos }) => photos).find((photo) => photo.id === id);
}

function titled(view, id) {
  const photo = photoOf(view, id);
  if (photo) return [photo.name, photo.from, null];
  const panel = view.panels.find(({ index }) => index.has(id)), i = panel.index.get(id), set = view.data.sets[panel.set[i]];
  return [panel.label[i] >= 0 ? view.data.classes[panel.label[i]] : `no. ${panel.row[i]}`, set.title, set];
}

function facts(view, id) {
  const box = element("span", "facts");
  view.panels.forEach((panel, side) => {
    const photo = panel.photos.find((one) => one.id === id), i = panel.index.get(id);
    if (!photo && i === undefined) return;
    const line = element("span", "line"), value = (name) => (photo ? photo[name] : panel.values[name]?.[i]) ?? null;
    if (view.panels.length > 1) line.append(element("i", "", SIDES[side]));
    line.append("E ", element("b", "", number(value("energy") ?? NaN)));
    if (value("representation") !== null) line.append("R ", element("b", "", number(value("representation"))));
    const near = photo ? photo.nearest : panel.nearest[i];
    if (near >= 0) line.append(element("span", "near", `→ ${view.data.classes[near]}`));
    box.append(line);
    if (photo) {
      const reach = element("span", "line");
      reach.append(element("span", photo.far ? "far" : "", photo.reach));
      box.append(reach);
    }
  });
  return box;
}

function about(view, id) {
  const [name, from, set] = titled(view, id), words = element("span", "words");
  words.append(element("span", "name", name), element("span", "from", from));
  return [thumb(view, id, set), words, facts(view, id)];
}

function describe(view, id) {
  const [name, from] = titled(view, id);
  return `${name}, ${from}. ${facts(view, id).textContent.replaceAll("→", ", nearest centre ")}`;
}

const SIZE = 60;

function thumb(view, id, set) {
  const box = element("span", "thumb"), source = set ? set.sheet?.url : photoOf(view, id).source, picture = view.pictures.get(source);
  box.dataset.id = id;
  if (!source || (picture?.complete && !picture.naturalWidth)) {
    box.classList.add("none");
    box.append(glyph(view, set?.role ?? "id"));
    return box;
  }
  box.style.backgroundImage = `url("${source}")`;
  if (!set) box.style.backgroundSize = "100% 100%";
  else {
    const { columns, rows } = set.sheet, tile = Number(id.slice(id.lastIndexOf("/") + 1));
    box.style.backgroundSize = `${columns * SIZE}px ${rows * SIZE}px`;
    box.style.backgroundPosition = `${-(tile % columns) * SIZE}px ${-Math.floor(tile / columns) * SIZE}px`;
  }
  return box;
}

function glyph(view, role, tone) {
  const mark = node("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" });
  mark.append(node("path", { d: SHAPES[role](7, 7, 4.6), fill: tone ?? view.data.tones[role] }));
  return mark;
}

// ---- legend and selection ------------------------------------------------------------------------------------------

function tally(view, of) {
  const panel = view.panels[0], found = new Map();
  for (let i = 0; i < panel.n; i++) {
    const key = of(panel, i), entry = found.get(key) ?? [0, 0];
    entry[1]++;
    if (view.selected.has(panel.ids[i])) entry[0]++;
    found.set(key, entry);
  }
  return (key) => {
    const [some, all] = found.get(key) ?? [0, 0];
    return view.selected.size ? `${some} / ${all}` : `${all}`;
  };
}

function legend(view) {
  const { find, data, hidden, colour } = view, perSet = tally(view, (panel, i) => data.sets[panel.set[i]].name);
  const plain = colour !== "set";
  find(".sets").replaceChildren(...data.sets.map((set) => {
    const button = chip(glyph(view, set.role, plain ? data.tones.mute : undefined), set.title, perSet(set.name));
    button.dataset.set = set.name;
    button.setAttribute("aria-pressed", !hidden.has(set.name));
    button.title = hidden.has(set.name) ? "Show these points" : "Hide these points";
    button.addEventListener("click", () => toggle(view, set.name));
    return button;
  }));
  const perClass = tally(view, (panel, i) => panel.label[i]);
  find(".classes").replaceChildren(...named(view).map((name, number) => {
    const button = chip(glyph(view, "id", data.tones.classes[number % data.tones.classes.length]), name, perClass(number));
    button.addEventListener("click", (event) => {
      const panel = view.panels[0];
      choose(view, panel.ids.filter((_, i) => panel.label[i] === number && shown(panel, i)), event.shiftKey ? "more" : "only");
    });
    return button;
  }));
  scaleBar(view);
}

function toggle(view, name) {
  view.hidden.has(name) ? view.hidden.delete(name) : view.hidden.add(name);
  view.report("hidden", [...view.hidden]);
  refresh(view);
  view.root.querySelector(`.sets [data-set="${CSS.escape(name)}"]`)?.focus();
}

function scaleBar(view) {
  view.find(".scale").replaceChildren(...scaled(view).map(([side, range]) => {
    const bar = element("span", "ramp"), row = element("div", "one");
    bar.style.background = `linear-gradient(to right, ${ramp(view.data.tones).join(", ")})`;
    row.append(element("span", "n", lettered(view, side, ": ") + number(range.low)), bar, element("span", "n", number(range.high)), element("span", "", range.words));
    return row;
  }));
}

function chip(mark, name, count) {
  const button = element("button", "chip");
  button.type = "button";
  button.append(mark, element("span", "name", name), element("span", "n", count));
  return button;
}

function gallery(view) {
  const { find, selected, data } = view, [side, name, way] = (view.sort ?? "0 energy 1").split(" "), panel = view.panels[Number(side)];
  const value = (id) => {
    const i = panel.index.get(id), photo = panel.photos.find((one) => one.id === id);
    return (photo ? photo[name] : i === undefined ? null : panel.values[name]?.[i]) ?? -Infinity;
  };
  const ids = [...selected].map((id) => [id, value(id)]).sort((a, b) => Number(way) * (b[1] - a[1])).map(([id]) => id);
  find(".picked").classList.toggle("none", !ids.length);
  view.across = across(view);
  const most = view.rows * view.across;
  find(".status").replaceChildren(...(ids.length ? [element("b", "", String(ids.length)), ids.length === 1 ? " image selected" : " images selected"] : [data.empty]));
  find(".cards").replaceChildren(...ids.slice(0, most).map((id) => {
    const button = element("button", "card");
    button.type = "button";
    button.append(...about(view, id));
    const show = (on) => () => { view.hovered = on ? id : null; view.panels.forEach(overlay); };
    for (const kind of ["pointerenter", "focus"]) button.addEventListener(kind, show(true));
    for (const kind of ["pointerleave", "blur"]) button.addEventListener(kind, show(false));
    button.addEventListener("click", () => choose(view, [id], "only"));
    button.setAttribute("aria-label", `${describe(view, id)} Press to select this one alone.`);
    return button;
  }));
  find(".more").textContent = ids.length > most ? `Show more of ${ids.length}` : "";
}

// How many cards stand in a row; a grid that is not shown has no columns yet.
const across = ({ find }) => getComputedStyle(find(".cards")).gridTemplateColumns.split(" ").filter((width) => width.endsWith("px")).length || 1;

// ---- taking home ---------------------------------------------------------------------------------------------------

function save(view, kind) {
  if (kind === "csv") return offerTable(table(view), view.data.file);
  return offerPicture(vector(view), kind, view.data.file);
}

function vector(view) {
  const { data, panels } = view, HEAD = 34, width = panels.reduce((sum, panel) => sum + panel.width, 0);
  const { parts, bottom } = keys(view, width, HEAD + panels[0].height + 22), height = bottom;
  const whole = node("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": "Inter, sans-serif" });
  whole.append(node("rect", { width, height, fill: data.tones.page }));
  let left = 0;
  for (const panel of panels) {
    const part = node("svg", { x: left, y: HEAD, width: panel.width, height: panel.height, viewBox: `0 0 ${panel.width} ${panel.height}`, overflow: "hidden" });
    part.append(...scene(panel).flatMap((item) => traced(item)));
    whole.append(text(`${lettered(view, panel.side, " · ")}${panel.title} – ${panel.words}`, { x: left + 12, y: 22, "font-size": 13, "font-weight": 600, fill: data.tones.text }), part);
    left += panel.width;
  }
  whole.append(...parts);
  return whole;
}

const lettered = (view, side, after) => (view.panels.length > 1 ? `${SIDES[side]}${after}` : "");

// What shapes and colours mean, in rows as wide as the picture.
function keys(view, width, top) {
  const { data, colour } = view, { tones } = data, parts = [], say = (words, x) => text(words, { x, y, "font-size": 12, fill: tones.text });
  let y = top;
  const row = (entries) => {
    let x = 14;
    for (const [role, tone, words] of entries) {
      const wide = 34 + 6.6 * words.length;
      if (x > 14 && x + wide > width) { x = 14; y += 22; }
      parts.push(node("path", { d: SHAPES[role](x, y - 4, 5), fill: tone }), say(words, x + 12));
      x += wide;
    }
    y += entries.length ? 24 : 0;
  };
  row(data.sets.filter(({ name }) => !view.hidden.has(name)).map(({ role, title }) => [role, colour === "set" ? tones[role] : tones.mute, title]));
  row(named(view).map((name, i) => ["id", tones.classes[i % tones.classes.length], name]));
  for (const [side, range] of scaled(view)) {
    const low = `${lettered(view, side, ": ")}${number(range.low)}`, from = 18 + 7 * low.length, steps = ramp(tones);
    parts.push(say(low, 14), ...steps.map((fill, i) => node("rect", { x: from + 6 * i, y: y - 9, width: 6.5, height: 10, fill })));
    parts.push(say(`${number(range.high)}   ${range.words}`, from + 6 * steps.length + 10));
    y += 24;
  }
  return { parts, bottom: y };
}

// The classes that colours tell apart, and the scales of the scores that colours stand for.
const named = ({ colour, data }) => (colour === "class" && data.classes.length <= 40 ? data.classes : []);
const scaled = ({ colour, panels }) => panels.flatMap((panel, side) => (panel.scales[colour] && panel.values[colour] ? [[side, panel.scales[colour]]] : []));

function traced(item) {
  if (item.image !== undefined) return [node("image", { href: item.image, x: item.x - item.r, y: item.y - item.r, width: 2 * item.r, height: 2 * item.r, "clip-path": "circle()" })];
  if (item.text !== undefined) return [text(item.text, { x: item.x, y: item.y, fill: item.fill, stroke: item.halo, "stroke-width": 3, "paint-order": "stroke", "font-size": 12, "font-weight": 600, "text-anchor": "middle" })];
  if (!item.path) return [];
  return [node("path", { d: item.path, fill: item.fill ?? "none", opacity: item.alpha ?? 1, stroke: item.stroke ?? "none", "stroke-width": item.width, "stroke-dasharray": (item.dash ?? []).join(" "), "paint-order": item.under ? "stroke" : "normal" })];
}

// Every point of every panel.
function table(view) {
  const rows = [["map", "id", "set", "class", "x", "y", "energy", "representation", "nearest_centre", "selected"]];
  for (const panel of view.panels) {
    for (let i = 0; i < panel.n; i++) {
      const name = (number) => (number >= 0 ? view.data.classes[number] : "");
      rows.push([panel.title, panel.ids[i], view.data.sets[panel.set[i]].name, name(panel.label[i]), panel.x[i], panel.y[i], panel.values.energy?.[i], panel.values.representation?.[i], name(panel.nearest[i]), view.selected.has(panel.ids[i]) ? 1 : 0]);
    }
    for (const photo of panel.photos) rows.push([panel.title, photo.name, "photo", "", photo.x, photo.y, photo.energy, photo.representation, view.data.classes[photo.nearest] ?? "", view.selected.has(photo.id) ? 1 : 0]);
  }
  return commaSeparated(rows);
}
