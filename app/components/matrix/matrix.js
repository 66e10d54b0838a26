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
  return view;
}

function answer({ label, value, name, words }) {
  const item = element("li");
  item.append(element("span", label, "label"), element("span", value, "value"), element("span", name, "name"), element("span", words, "words"));
  return item;
}

// One row of groups where there are any, then the columns themselves.
function heads({ columns, words }) {
  const corner = element("th", words.corner);
  corner.scope = "col";
  const titles = element("tr");
  titles.append(corner, ...columns.map((column) => {
    const head = element("th", column.title, column.apart ? "apart" : "");
    head.scope = "col";
    if (column.hint) head.title = column.hint;
    if (column.words) head.append(element("small", column.words));
    return head;
  }));
  if (!columns.some(({ group }) => group)) return [titles];
  const groups = element("tr");
  groups.append(element("td"));
  for (let at = 0; at < columns.length;) {
    let span = 1;
    while (at + span < columns.length && columns[at + span].group === columns[at].group) span++;
    const head = element("th", columns[at].group, `group${columns[at].group ? "" : " none"}${columns[at].apart ? " apart" : ""}`);
    head.colSpan = span;
    if (columns[at].group) head.scope = "colgroup";
    groups.append(head);
    at += span;
  }
  return [groups, titles];
}

function line(row, buttons, columns) {
  const made = element("tr", "", row.apart ? "apart" : ""), head = element("th", row.title);
  head.dataset.title = row.title;
  head.scope = "row";
  if (row.hint) head.title = row.hint;
  if (row.words) head.append(element("small", row.words));
  made.append(head, ...buttons.map((button, at) => {
    const cell = element("td", "", columns[at].apart ? "apart" : "");
    cell.append(button ?? element("span", "–", "none"));
    return cell;
  }));
  return made;
}

function button(view, { id, text, spread, shade, mark, label }) {
  const made = element("button", "", mark);
  made.type = "button";
  made.dataset.id = id;
  made.tabIndex = -1;
  made.setAttribute("aria-label", label);
  made.style.setProperty("--shade", Math.abs(shade));
  if (view.data.diverging) made.style.setProperty("--tone", shade < 0 ? "var(--worse)" : "var(--better)");
  const number = element("span");
  if (mark) number.append(element("span", MARKS[mark], "mark"));
  number.append(text);
  made.append(number);
  if (spread) made.append(element("small", spread));
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
    if (MARKS[mark]) item.append(element("b", MARKS[mark]));
    item.append(words[mark]);
    return item;
  }));
}

function element(tag, text = "", kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}
