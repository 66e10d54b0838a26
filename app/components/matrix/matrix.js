// A table of buttons. Arrow keys move between the numbers, Enter or a click opens one; Python hears which.

const MARKS = { best: "●", level: "○" };
const views = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".matrix");
  const view = views.get(root) ?? mount(root);
  Object.assign(view, { data, report: setStateValue });
  const focused = view.buttons.flat().findIndex((button) => button?.matches(":focus"));
  root.classList.toggle("diverging", data.diverging);
  root.querySelector(".answers").replaceChildren(...data.answers.map(answer));
  root.querySelector("caption").textContent = data.words.alt;
  root.querySelector("thead").replaceChildren(...heads(data));
  view.buttons = data.cells.map((line) => line.map((cell) => cell && button(view, cell)));
  root.querySelector("tbody").replaceChildren(...data.rows.map((row, at) => line(row, view.buttons[at], data.columns)));
  legend(root, data);
  press(view, data.selected);
  if (focused >= 0) view.buttons.flat()[focused]?.focus();
  return () => {};
}

function mount(root) {
  const view = { root, buttons: [] };
  views.set(root, view);
  root.querySelector("tbody").addEventListener("keydown", (event) => move(view, event));
  root.querySelector(".saves").addEventListener("click", ({ target }) => target.dataset.save && offerPicture(picture(view), target.dataset.save, view.data.file));
  return view;
}

function answer({ label, value, name, words }) {
  const item = element("li");
  item.append(element("span", "label", label), element("span", "value", value), element("span", "name", name), element("span", "words", words));
  return item;
}

// One row of groups where there are any, then the columns themselves.
function heads({ columns, words }) {
  const corner = element("th", "", words.corner);
  corner.scope = "col";
  const titles = element("tr");
  titles.append(corner, ...columns.map((column) => {
    const head = element("th", column.apart ? "apart" : "", column.title);
    head.scope = "col";
    if (column.hint) head.title = column.hint;
    if (column.words) head.append(element("small", "", column.words));
    return head;
  }));
  if (!columns.some(({ group }) => group)) return [titles];
  const groups = element("tr");
  groups.append(element("td"));
  for (let at = 0; at < columns.length;) {
    let span = 1;
    while (at + span < columns.length && columns[at + span].group === columns[at].group) span++;
    const head = element("th", `group${columns[at].group ? "" : " none"}${columns[at].apart ? " apart" : ""}`, columns[at].group);
    head.colSpan = span;
    if (columns[at].group) head.scope = "colgroup";
    groups.append(head);
    at += span;
  }
  return [groups, titles];
}

function line(row, buttons, columns) {
  const made = element("tr", row.apart ? "apart" : ""), head = element("th", "", row.title);
  head.dataset.title = row.title;
  head.scope = "row";
  if (row.hint) head.title = row.hint;
  if (row.words) head.append(element("small", "", row.words));
  made.append(head, ...buttons.map((button, at) => {
    const cell = element("td", columns[at].apart ? "apart" : "");
    cell.append(button ?? element("span", "none", "–"));
    return cell;
  }));
  return made;
}

function button(view, { id, text, spread, shade, mark, label }) {
  const made = element("button", mark);
  made.type = "button";
  made.dataset.id = id;
  made.tabIndex = -1;
  made.setAttribute("aria-label", label);
  made.style.setProperty("--shade", Math.abs(shade));
  if (view.data.diverging) made.style.setProperty("--tone", shade < 0 ? "var(--worse)" : "var(--better)");
  const number = element("span");
  if (mark) number.append(element("span", "mark", MARKS[mark]));
  number.append(text);
  made.append(number);
  if (spread) made.append(element("small", "", spread));
  made.addEventListener("click", () => { press(view, id); view.report("chosen", id); });
  return made;
}

// One stop of the Tab key: the open cell, or the first.
function press(view, id) {
  const all = view.buttons.flat().filter(Boolean);
  for (const each of all) {
    each.setAttribute("aria-pressed", String(each.dataset.id === id));
    each.tabIndex = -1;
  }
  const stop = all.find((each) => each.dataset.id === id) ?? all[0];
  if (stop) stop.tabIndex = 0;
}

function move(view, event) {
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const row = view.buttons.findIndex((line) => line.includes(event.target));
  if (!step || row < 0) return;
  event.preventDefault();
  let [at, column] = [row + step[0], view.buttons[row].indexOf(event.target) + step[1]];
  while (view.buttons[at]?.[column] === null) { at += step[0]; column += step[1]; }
  const next = view.buttons[at]?.[column];
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function legend(root, { words }) {
  root.querySelector(".pale").textContent = words.pale;
  root.querySelector(".full").textContent = words.full;
  root.querySelector(".marks").replaceChildren(...["best", "level", "plain"].filter((mark) => words[mark]).map((mark) => {
    const item = element("span");
    if (MARKS[mark]) item.append(element("b", "", MARKS[mark]));
    item.append(words[mark]);
    return item;
  }));
}

// ---- taking home ---------------------------------------------------------------------------------------------------

const ROOM = 16;

// The table and its key as one SVG, as they stand on the page; a table that is wider than the page is drawn whole.
function picture({ root, data }) {
  const scroll = root.querySelector(".scroll"), table = root.querySelector("table"), scale = root.querySelector(".key"), at = scroll.scrollLeft;
  scroll.scrollLeft = 0;
  const box = table.getBoundingClientRect(), style = getComputedStyle(root), below = scale.getBoundingClientRect();
  const width = Math.ceil(Math.max(box.width, below.width)) + 2 * ROOM, title = wrapped(data.words.alt, width - 2 * ROOM);
  const top = ROOM + 18 * title.length + 10, height = Math.ceil(top + below.bottom - box.top + ROOM);
  const whole = node("svg", { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`, "font-family": style.fontFamily });
  const page = style.getPropertyValue("--st-background-color").trim() || "#fff", inside = node("g", { transform: `translate(${ROOM - box.left} ${top - box.top})` });
  whole.append(node("rect", { width, height, fill: page }));
  title.forEach((words, i) => whole.append(text(words, { x: ROOM, y: ROOM + 12 + 18 * i, "font-size": 13, fill: style.color })));
  for (const part of [...table.querySelectorAll("thead *, tbody *"), ...scale.querySelectorAll("*")]) inside.append(...traced(part));
  whole.append(inside);
  scroll.scrollLeft = at;
  return whole;
}

function wrapped(words, width) {
  const most = Math.floor(width / 6.6), lines = [""];
  for (const word of words.split(" ")) {
    if (lines.at(-1).length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] += ` ${word}`;
  }
  return lines.map((line) => line.trim());
}

// What one element itself draws: its fill, the line below it, and its own words.
function traced(part) {
  const style = getComputedStyle(part), box = part.getBoundingClientRect(), found = [];
  const place = { x: box.left, y: box.top, width: box.width, height: box.height, rx: parseFloat(style.borderTopLeftRadius) || 0 };
  if (style.backgroundImage !== "none") found.push(...faded(style.backgroundImage, place));
  else if (part.tagName === "BUTTON") found.push(node("rect", { ...place, fill: flat(style.backgroundColor) }));
  const line = parseFloat(style.borderBottomWidth);
  if (line && part.matches(".group:not(.none)")) found.push(node("rect", { x: box.left, y: box.bottom - line, width: box.width, height: line, fill: flat(style.borderBottomColor) }));
  const font = { fill: flat(style.color), "font-size": style.fontSize, "font-weight": style.fontWeight, "font-family": style.fontFamily };
  for (const words of part.childNodes) if (words.nodeType === Node.TEXT_NODE) found.push(...rows(words).map(({ said, x, y }) => text(said, { x, y, "dominant-baseline": "central", ...font })));
  return found;
}

// The words of a text as the page breaks them into lines.
function rows(words) {
  const found = [], range = document.createRange();
  for (const { 0: said, index } of words.textContent.matchAll(/\S+/g)) {
    range.setStart(words, index);
    range.setEnd(words, index + said.length);
    const box = range.getBoundingClientRect(), y = box.top + box.height / 2;
    if (found.length && Math.abs(found.at(-1).y - y) < 2) found.at(-1).said += ` ${said}`;
    else if (box.width) found.push({ said, x: box.left, y });
  }
  return found;
}

// A gradient from left to right, in as many strips as it has steps to the eye.
function faded(image, { x, y, width, height }) {
  const pen = palette(), colours = image.match(/(?:rgb|color)[^()]*\([^()]*\)/g);
  const wash = pen.createLinearGradient(0, 0, 24, 0);
  colours.forEach((colour, i) => wash.addColorStop(i / (colours.length - 1), colour));
  Object.assign(pen, { fillStyle: wash }).fillRect(0, 0, 24, 1);
  const step = width / 24;
  return Array.from({ length: 24 }, (_, i) => node("rect", { x: x + i * step, y, width: step + 0.5, height, fill: hex(pen.getImageData(i, 0, 1, 1).data) }));
}

// A computed colour, which may be a mix, as every program reads it.
function flat(colour) {
  const pen = palette();
  Object.assign(pen, { fillStyle: colour }).fillRect(0, 0, 1, 1);
  return hex(pen.getImageData(0, 0, 1, 1).data);
}

const palette = () => Object.assign(document.createElement("canvas"), { width: 24, height: 1 }).getContext("2d", { willReadFrequently: true });
const hex = ([red, green, blue]) => `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
