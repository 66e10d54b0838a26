// Dials, drawings, numbers and a formula, all looked up in tables that the library made for every position of the dials.
// What is dragged answers here; Python hears of it once, on release.

const stages = new WeakMap();
const minus = (words) => words.replace("-", "−");
const units = {
  percent: (value) => `${(100 * value).toFixed(1)} %`,
  number: (value) => minus(Number.isInteger(value) ? String(value) : value.toFixed(2)),
  decision: (value) => (value > 0.5 ? "flagged" : "kept"),
};
const ways = { up: "↑", down: "↓" };

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".stage");
  const stage = stages.get(root) ?? mount(root);
  const fresh = stage.data?.id !== data.id;
  Object.assign(stage, { data, report: setStateValue });
  root.classList.toggle("large", data.large);
  root.classList.toggle("dark", data.dark);
  if (fresh) {
    stage.at = Object.fromEntries(data.dials.map((dial) => [dial.name, dial.start]));
    stage.at.picture = data.picture;
    stage.sent = JSON.stringify(stage.at);
    stage.dials = data.dials.map((dial) => (isNumeric(dial) ? slider(stage, dial) : choices(stage, dial)));
    stage.parts.dials.replaceChildren(...stage.dials.map(({ node }) => node));
    strip(stage);
  }
  lay(stage);
  const watch = new ResizeObserver(() => { if (root.clientWidth !== stage.width) lay(stage); });
  watch.observe(root);
  return () => { watch.disconnect(); cancelAnimationFrame(stage.waiting); stage.waiting = 0; };
}

function mount(root) {
  const find = (query) => root.querySelector(query);
  const parts = { dials: find(".dials"), views: find(".views"), facts: find(".facts"), worked: find(".worked"), strip: find(".strip"), sums: find(".sums") };
  const stage = { root, parts, waiting: 0 };
  stages.set(root, stage);
  return stage;
}

// ---- tables --------------------------------------------------------------------------------------------------------

function look(table, at) {
  let row = 0;
  table.over.forEach((name, i) => { row = row * table.sizes[i] + at[name]; });
  return table.rows[row];
}

// ---- hands ---------------------------------------------------------------------------------------------------------

const isNumeric = (dial) => dial.values.every((value) => typeof value === "number") && dial.values.length > 2;

function slider(stage, dial) {
  const box = element("div", "dial"), head = element("div", "head"), label = element("label", "", dial.label), shown = element("output");
  const input = Object.assign(element("input"), { type: "range", min: 0, max: dial.values.length - 1, step: 1, id: `dial-${dial.name}` });
  label.htmlFor = input.id;
  shown.htmlFor = input.id;
  head.append(label, shown);
  const ends = element("div", "ends");
  ends.append(element("span", "", dial.words[0]), element("span", "", dial.words.at(-1)));
  box.append(head, input, ends);
  input.addEventListener("input", () => turn(stage, dial.name, Number(input.value)));
  input.addEventListener("change", () => settle(stage));
  const show = (index) => {
    input.value = index;
    input.style.setProperty("--at", index / Math.max(1, dial.values.length - 1));
    input.setAttribute("aria-valuetext", dial.words[index]);
    shown.textContent = dial.words[index];
  };
  return { node: box, name: dial.name, show };
}

function choices(stage, dial) {
  const box = element("div", "dial"), group = element("div", "choices");
  group.setAttribute("role", "radiogroup");
  group.setAttribute("aria-label", dial.label);
  const buttons = dial.words.map((words) => radio(element("button", "", words)));
  buttons.forEach((button, index) => button.addEventListener("click", () => { turn(stage, dial.name, index); settle(stage); }));
  group.append(...buttons);
  group.addEventListener("keydown", (event) => arrows(event, buttons));
  box.append(element("div", "label", dial.label), group);
  return { node: box, name: dial.name, show: (index) => check(buttons, index) };
}

function strip(stage) {
  const { pictures } = stage.data, { strip: place, worked } = stage.parts;
  worked.hidden = !pictures.length && !stage.data.numbers.length;
  stage.buttons = pictures.map((picture, index) => {
    const button = radio(element("button")), image = element("img", picture.kind);
    image.src = picture.source;
    image.alt = `${picture.name}, ${picture.group}`;
    button.title = image.alt;
    button.append(image, element("i"));
    button.addEventListener("click", () => { turn(stage, "picture", index); settle(stage); });
    return button;
  });
  place.replaceChildren(...stage.buttons);
  place.onkeydown = (event) => arrows(event, stage.buttons);
}

function radio(button) {
  button.type = "button";
  button.setAttribute("role", "radio");
  return button;
}

function check(buttons, index) {
  buttons.forEach((button, i) => {
    button.setAttribute("aria-checked", i === index);
    button.tabIndex = i === index ? 0 : -1;
  });
}

function arrows(event, buttons) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], now = buttons.indexOf(event.target);
  if (!step || now < 0 || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = buttons[(now + step + buttons.length) % buttons.length];
  next.focus();
  next.click();
}

function turn(stage, name, index) {
  stage.at[name] = index;
  stage.waiting ||= requestAnimationFrame(() => { stage.waiting = 0; show(stage); });
}

function settle(stage) {
  const now = JSON.stringify(stage.at);
  if (now === stage.sent) return;
  stage.sent = now;
  stage.report("at", { ...stage.at });
}

// ---- showing -------------------------------------------------------------------------------------------------------

const draw = { histogram, bars, lines, points };

function lay(stage) {
  const { data, parts, root } = stage;
  if (!root.clientWidth) return; // on its way out of the page
  stage.width = root.clientWidth;
  const font = parseFloat(getComputedStyle(root).fontSize);
  stage.drawn = data.views.map((view) => {
    const svg = node("svg", { class: "figure", role: "img" });
    return { svg, update: draw[view.kind](view, svg, Math.max(260, stage.width), font) };
  });
  parts.views.replaceChildren(...stage.drawn.map(({ svg }) => svg));
  stage.numbers = data.facts.map((fact) => {
    const box = element("div"), value = element("dd"), term = element("dt", "", fact.label);
    box.append(term, value);
    return { box, value };
  });
  parts.facts.replaceChildren(...stage.numbers.map(({ box }) => box));
  show(stage);
}

function show(stage) {
  const { data, at } = stage;
  stage.dials.forEach((dial) => dial.show(at[dial.name]));
  check(stage.buttons, at.picture);
  stage.drawn.forEach(({ update }) => update(at));
  data.facts.forEach((fact, i) => {
    const value = look(fact.table, at), shown = stage.numbers[i].value;
    shown.className = fact.unit === "decision" ? units.decision(value) : "";
    shown.replaceChildren(units[fact.unit](value), ...(fact.better ? [element("span", "way", ways[fact.better])] : []));
    if (fact.better) shown.lastChild.title = fact.better === "up" ? "higher is better" : "lower is better";
  });
  const chosen = data.pictures[at.picture], words = element("p", "chosen");
  if (chosen) words.append(data.numbers.length ? "With " : "Example picture: ", element("b", "", chosen.name), `, ${/^[aeiou]/.test(chosen.group) ? "an" : "a"} ${chosen.group}${data.numbers.length ? ":" : ""}`);
  stage.parts.sums.replaceChildren(...(chosen ? [words] : []), ...data.numbers.map((table) => written(look(table, at))));
}

// `e^{−7.1/2} + p_{disc}`: raised and lowered parts as such, everything else as text.
function written(words) {
  const line = element("p", "sum");
  for (const part of words.split(/([\^_]\{[^}]*\})/)) {
    if (/^[\^_]\{/.test(part)) line.append(element(part[0] === "^" ? "sup" : "sub", "", part.slice(2, -1)));
    else line.append(part);
  }
  return line;
}

// ---- drawings: each lays out what stays, and hands back what follows the dials ---------------------------------------

function heading(svg, title, entries, width, font) {
  const rows = wrap(title, 0.86 * width, font), down = 1.3 * font * (rows.length - 1);
  rows.forEach((words, i) => svg.append(text(words, { class: "title", x: 0, y: (1 + 1.3 * i) * font })));
  let x = 0, y = 2.4 * font + down;
  for (const [words, kind, shape] of entries) {
    const size = 26 + 6 + 0.46 * font * words.length;
    if (x && x + size > width) { x = 0; y += 1.4 * font; }
    svg.append(sample(kind, shape, x, y - 0.3 * font), text(words, { class: "legend", x: x + 32, y }));
    x += size + 20;
  }
  return entries.length ? y + 0.8 * font : 1.7 * font + down;
}

function sample(kind, shape, x, y) {
  if (shape === "dot") return symbol(kind, x + 13, y, 4.5, "dot");
  if (shape === "bar") return node("rect", { class: `bar ${kind}`, x: x + 4, y: y - 6, width: 18, height: 11, rx: 2 });
  if (shape === "behind") return node("rect", { class: "behind", x: x + 4, y: y - 6, width: 18, height: 11, rx: 2 });
  return node("path", { class: `stroke ${kind}`, d: `M${x + 1} ${y}H${x + 25}` });
}

// ID is round, OOD a diamond, outliers of the training a triangle; never colour alone.
function symbol(kind, x, y, size, cls) {
  const shapes = { ood: `M0 ${-1.25 * size}L${1.25 * size} 0 0 ${1.25 * size} ${-1.25 * size} 0Z`, aux: `M0 ${-1.2 * size}L${1.1 * size} ${0.9 * size}H${-1.1 * size}Z` };
  const place = { class: `${cls} ${kind}`, transform: `translate(${x} ${y})` };
  if (shapes[kind]) return node("path", { ...place, d: shapes[kind] });
  return kind === "plain" ? node("rect", { ...place, x: -0.8 * size, y: -0.8 * size, width: 1.6 * size, height: 1.6 * size }) : node("circle", { ...place, r: size });
}

function histogram(view, svg, width, font) {
  const top = heading(svg, view.title, view.sets.toReversed().map((set) => [set.name, set.kind, "line"]), width, font) + 1.4 * font;
  const high = Math.round(Math.min(190, 0.36 * width)), base = top + high;
  const lines = wrap(view.axis, width, font);
  const bottom = base + 1.5 * font + (view.picture ? 1.3 * font : 0);
  size(svg, width, bottom + (0.4 + 1.25 * lines.length) * font, view);
  const shades = view.marks.filter((mark) => mark.shade).map((mark) => [mark, node("rect", { class: "shade", y: top, height: high })]);
  const areas = view.sets.map((set) => [set, node("path", { class: `area ${set.kind}` })]);
  const marks = view.marks.map((mark, i) => [mark, node("line", { class: "mark", y1: top - 4, y2: base }), text(mark.name, { class: "chip", y: top - 0.6 * font, "text-anchor": view.marks.length < 2 ? "middle" : i ? "start" : "end" })]);
  const ticksAt = node("g", {}), me = view.picture && node("path", { class: "spot", d: `M0 ${base + 3}l6 11h-12Z` });
  svg.append(...shades.map(([, part]) => part), ...areas.map(([, part]) => part), node("line", { class: "axis", x1: 0, x2: width, y1: base, y2: base }), ticksAt);
  marks.forEach(([, line, chip]) => svg.append(line, chip));
  const mine = me && text("this picture", { class: "words", y: base + 2.45 * font });
  if (me) svg.append(me, mine);
  lines.forEach((words, i) => svg.append(text(words, { class: "words", x: 0, y: bottom + (1 + 1.25 * i) * font })));
  return (at) => {
    const [low, top_] = look(view.ends, at), x = (value) => width * Math.min(1, Math.max(0, (value - low) / (top_ - low)));
    for (const [one, part] of areas) part.setAttribute("d", outline(look(one.heights, at), width, base, high - 8));
    for (const [mark, part] of shades) {
      const cut = x(look(mark.at, at));
      set(part, mark.shade === "right" ? { x: cut, width: width - cut } : { x: 0, width: cut });
    }
    for (const [mark, line, chip] of marks) {
      const cut = x(look(mark.at, at)), long = chip.getComputedTextLength(), side = chip.getAttribute("text-anchor");
      const place = { middle: Math.min(width - long / 2, Math.max(long / 2, cut)), end: Math.max(long, cut - 5), start: Math.min(width - long, cut + 5) };
      set(line, { x1: cut, x2: cut });
      set(chip, { x: place[side] });
    }
    ticksAt.replaceChildren(...ticks(low, top_, Math.max(4, width / 110)).map((tick) => text(minus(String(Number(tick.toPrecision(6)))), { class: "tick", x: x(tick), y: base + 1.3 * font, "text-anchor": x(tick) < 12 ? "start" : x(tick) > width - 12 ? "end" : "middle" })));
    if (me) {
      const here = x(look(view.picture, at));
      me.setAttribute("transform", `translate(${Math.min(width - 7, Math.max(7, here))} 0)`);
      set(mine, { x: Math.min(width - 3 * font, Math.max(3 * font, here)), "text-anchor": "middle" });
      for (const tick of ticksAt.children) tick.style.opacity = Math.abs(Number(tick.getAttribute("x")) - here) < 16 ? 0 : 1;
    }
  };
}

function outline(heights, width, base, high) {
  const step = width / heights.length;
  return `M0 ${base}${heights.map((height, i) => `V${(base - (high * height) / 100).toFixed(1)}H${((i + 1) * step).toFixed(1)}`).join("")}V${base}`;
}

function bars(view, svg, width, font) {
  const entries = [...(view.name ? [[view.name, view.colour, "bar"]] : []), ...(view.behind ? [[view.behind_name, view.colour, "behind"]] : [])];
  const top = heading(svg, view.title, entries, width, font) + 0.4 * font, row = Math.round(1.55 * font), low = Math.min(0, view.low);
  const left = Math.min(0.3 * width, 0.5 * font * Math.max(...view.labels.map((words) => words.length)) + 1.2 * font), right = 3.6 * font;
  const span = width - left - right, x = (value) => left + (span * (value - low)) / (view.high - low || 1);
  size(svg, width, top + row * view.labels.length + 4, view);
  const rows = view.labels.map((words, i) => {
    const y = top + row * i, bar = node("rect", { class: `bar ${view.colour}`, y: y + 0.22 * row, height: 0.6 * row, rx: 2.5 });
    const behind = view.behind && node("rect", { class: "behind", y: y + 0.12 * row, height: 0.8 * row, rx: 3 });
    const value = text("", { class: "value", y: y + 0.68 * row });
    svg.append(text(words, { class: "name", x: left - 0.7 * font, y: y + 0.68 * row, "text-anchor": "end" }), bar, ...(behind ? [behind] : []), value);
    return { bar, behind, value };
  });
  svg.append(node("line", { class: "axis", x1: x(0), x2: x(0), y1: top, y2: top + row * view.labels.length }));
  return (at) => {
    const values = look(view.values, at), compared = view.behind && look(view.behind, at), chosen = view.chosen && look(view.chosen, at);
    rows.forEach(({ bar, behind, value }, i) => {
      extent(bar, x(0), x(values[i]));
      if (behind) extent(behind, x(0), x(compared[i]));
      bar.classList.toggle("off", view.chosen !== null && chosen !== i);
      value.textContent = units[view.unit](values[i]);
      value.setAttribute("x", Math.max(x(0), x(values[i]), behind ? x(compared[i]) : 0) + 6);
    });
  };
}

const extent = (bar, from, to) => set(bar, { x: Math.min(from, to), width: Math.max(1, Math.abs(to - from)) });

function lines(view, svg, width, font) {
  const top = heading(svg, view.title, view.curves.map((curve) => [curve.name, curve.strong ? curve.kind : "faint", "line"]), width, font) + 0.6 * font;
  const left = 2.8 * font, high = Math.round(Math.min(230, 0.46 * width)), base = top + high;
  const x = (share) => left + (width - left - 14) * share, y = (value) => base - (high * (value - view.low)) / (view.high - view.low);
  size(svg, width, base + 3 * font, view);
  for (const part of [0, 0.5, 1]) {
    const value = view.low + part * (view.high - view.low);
    svg.append(node("line", { class: "grid", x1: left, x2: width - 14, y1: y(value), y2: y(value) }), text(`${Math.round(100 * value)} %`, { class: "tick", x: left - 8, y: y(value) + 4, "text-anchor": "end" }));
  }
  for (const [share, words] of view.ticks) svg.append(text(words, { class: "tick", x: x(share), y: base + 1.3 * font, "text-anchor": share > 0.97 ? "end" : "middle" }));
  svg.append(text(view.axis, { class: "words", x: x(0.5), y: base + 2.6 * font, "text-anchor": "middle" }));
  const cursor = view.cursor && node("line", { class: "cursor", y1: top - 4, y2: base }), spot = view.spot && node("circle", { class: "spot", r: 6 });
  const strokes = view.curves.map((curve) => [curve, node("path", { class: `stroke ${curve.strong ? curve.kind : "faint"}` })]);
  svg.append(...strokes.map(([, part]) => part));
  const dots = view.cursor ? view.curves.filter((curve) => curve.strong).map((curve) => [curve, symbol(curve.kind, 0, 0, 5, "dot solid")]) : [];
  if (cursor) svg.append(cursor, ...dots.map(([, part]) => part));
  if (spot) svg.append(spot);
  const curve = (values) => values.map((value, i) => `${i ? "L" : "M"}${x(view.x[i]).toFixed(1)} ${y(Math.min(view.high, Math.max(view.low, value))).toFixed(1)}`).join("");
  return (at) => {
    for (const [one, part] of strokes) part.setAttribute("d", curve(look(one.y, at)));
    if (cursor) {
      const here = look(view.cursor, at), index = view.x.findIndex((share) => Math.abs(share - here) < 1e-3);
      set(cursor, { x1: x(here), x2: x(here) });
      for (const [one, part] of dots) part.setAttribute("transform", `translate(${x(here)} ${y(Math.min(view.high, Math.max(view.low, look(one.y, at)[Math.max(0, index)])))})`);
    }
    if (spot) {
      const [across, up] = look(view.spot, at);
      set(spot, { cx: x(across), cy: y(up) });
    }
  };
}

function points(view, svg, width, font) {
  const top = heading(svg, view.title, view.sets.toReversed().map(([words, kind]) => [words, kind, "dot"]), width, font) + 0.6 * font;
  const left = 3.2 * font, high = Math.round(Math.min(300, 0.56 * width)), base = top + high, [x0, x1, y0, y1] = view.ends;
  const x = (value) => left + ((width - left - 10) * (value - x0)) / (x1 - x0), y = (value) => base - (high * (value - y0)) / (y1 - y0);
  size(svg, width, base + 2.9 * font, view);
  for (const tick of ticks(x0, x1, Math.max(4, width / 110))) svg.append(text(String(Number(tick.toPrecision(4))), { class: "tick", x: x(tick), y: base + 1.3 * font, "text-anchor": "middle" }));
  for (const tick of ticks(y0, y1, Math.max(4, (1.6 * high) / 110))) svg.append(node("line", { class: "grid", x1: left, x2: width - 10, y1: y(tick), y2: y(tick) }), text(String(Number(tick.toPrecision(4))), { class: "tick", x: left - 8, y: y(tick) + 4, "text-anchor": "end" }));
  svg.append(node("line", { class: "axis", x1: left, x2: width - 10, y1: base, y2: base }));
  svg.append(text(view.across, { class: "words", x: x((x0 + x1) / 2), y: base + 2.5 * font, "text-anchor": "middle" }), text(view.up, { class: "words", transform: `translate(${0.8 * font} ${top + high / 2}) rotate(-90)`, "text-anchor": "middle" }));
  for (const [, kind, dots] of view.sets) for (const [across, up] of dots) svg.append(symbol(kind, x(across), y(up), 3, "dot"));
  const me = node("g", {});
  me.append(node("circle", { class: "me", r: 9 }), node("circle", { class: "me ring", r: 9 }));
  svg.append(me);
  return (at) => {
    const [across, up] = look(view.picture, at);
    me.setAttribute("transform", `translate(${x(Math.min(x1, across))} ${y(Math.min(y1, up))})`);
  };
}

function size(svg, width, height, view) {
  set(svg, { width, height: Math.ceil(height), viewBox: `0 0 ${width} ${Math.ceil(height)}`, "aria-label": `${view.title}. The numbers below say the same.` });
}

function wrap(words, width, font) {
  const most = Math.floor(width / (0.43 * font)), lines = [""];
  for (const word of words.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] += `${lines.at(-1) ? " " : ""}${word}`;
  }
  return lines;
}

function set(part, attributes) {
  for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
  return part;
}
