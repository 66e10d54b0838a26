// A grid of pictures; nothing moves.

export default function ({ data, parentElement }) {
  const list = parentElement.querySelector(".gallery");
  list.setAttribute("aria-label", data.label);
  list.style.setProperty("--mark", data.colour);
  list.replaceChildren(...data.items.map(item));
}

function item({ source, title, words, marked }) {
  const place = element("li", marked ? "marked" : ""), image = element("img");
  image.src = source;
  image.alt = `${title}, ${words}`;
  image.loading = "lazy";
  place.title = `${title}\n${words}`;
  place.append(image, element("b", "", title), element("span", "", words));
  return place;
}
