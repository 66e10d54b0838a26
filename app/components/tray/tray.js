// A radio group of pictures: one Tab stop, arrow keys move and choose, Python hears of each choice.

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".tray");
  root.setAttribute("aria-label", data.label);
  const focused = root.getRootNode().activeElement?.dataset.id;
  const buttons = new Map(data.thumbs.map((thumb) => [thumb.id, button(thumb)]));
  root.replaceChildren(...sections(data.thumbs, buttons));
  const mark = (id) => buttons.forEach((one, key) => { one.setAttribute("aria-checked", key === id); one.tabIndex = key === id ? 0 : -1; });
  const choose = (id) => { mark(id); buttons.get(id).focus(); setStateValue("picked", id); };
  mark(data.chosen);
  if (focused) buttons.get(data.chosen)?.focus({ preventScroll: true });

  const click = ({ target }) => { const found = target.closest("button"); if (found) choose(found.dataset.id); };
  const press = (event) => {
    const ids = [...buttons.keys()], at = ids.indexOf(event.target.dataset?.id), step = STEPS[event.key];
    if (!step || at < 0) return;
    event.preventDefault();
    choose(ids[(at + step + ids.length) % ids.length]);
  };
  root.addEventListener("click", click);
  root.addEventListener("keydown", press);
  return () => { root.removeEventListener("click", click); root.removeEventListener("keydown", press); };
}

function sections(thumbs, buttons) {
  const rows = new Map();
  for (const { id, group } of thumbs) {
    if (!rows.has(group)) rows.set(group, Object.assign(document.createElement("div"), { className: "row" }));
    rows.get(group).append(buttons.get(id));
  }
  return [...rows].map(([group, row]) => {
    const section = document.createElement("section"), title = document.createElement("h3");
    title.textContent = group;
    section.append(title, row);
    return section;
  });
}

function button({ id, source, name, group }) {
  const made = document.createElement("button"), image = document.createElement("img");
  Object.assign(made, { type: "button", title: name });
  made.dataset.id = id;
  made.setAttribute("role", "radio");
  made.setAttribute("aria-label", `${name}, ${group}`);
  Object.assign(image, { src: source, alt: "" });
  made.append(image);
  return made;
}
