// What several components draw with. `made` puts it before a component's own script, so its names are taken there.

const SVG = "http://www.w3.org/2000/svg";
const SHARPNESS = 2;

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

// Round numbers from low to high, about as many as asked for and no more.
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough), first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) => (first + i) * step);
}

function offer(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const offerTable = (lines, name) => offer(new Blob(["\ufeff", lines], { type: "text/csv;charset=utf-8" }), `${name}.csv`);

// Rows as lines of a CSV; text that a spreadsheet would take for a formula is made plain.
function commaSeparated(rows) {
  const cell = (value) => (typeof value !== "string" ? String(value ?? "") : /[",\n]/.test(value) || /^[=+\-@\t\r]/.test(value) ? `"${(/^[=+\-@\t\r]/.test(value) ? "'" : "") + value.replaceAll('"', '""')}"` : value);
  return rows.map((row) => row.map(cell).join(",")).join("\n");
}

// An SVG that stands alone, as a file of either kind.
async function offerPicture(drawn, kind, name) {
  const blob = new Blob([new XMLSerializer().serializeToString(drawn)], { type: "image/svg+xml;charset=utf-8" });
  offer(kind === "svg" ? blob : await raster(blob), `${name}.${kind}`);
}

async function raster(blob) {
  const image = new Image(), source = URL.createObjectURL(blob);
  image.src = source;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width * SHARPNESS, height: image.height * SHARPNESS });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(source);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
