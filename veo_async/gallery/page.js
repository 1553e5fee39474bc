"use strict";
// Texts from a prompt, the service or a file become text nodes, never markup; the page's policy
// forbids everything else.

const { cards: items, notes } = JSON.parse(document.getElementById("data").textContent);
const SIGNS = { succeeded: "✓", failed: "✕", uncertain: "?", pending: "…" };
const $ = (id) => document.getElementById(id);
const grid = $("grid"), search = $("search"), model = $("model");
const chosen = { state: "" };
let shown = [];
let current = null;

function make(tag, properties = {}, ...children) {
  const { className, ...attributes } = properties;
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const ON_WEB = /^https?:\/\/[^\s\\\p{Cc}]+$/iu;
const IN_FOLDER = /^\.\/[^\/\\]+$/;

function link(address, text, allowed) {
  // An address of another kind is shown as text: no link leads to another file of the disk.
  if (!allowed.test(address)) return text;
  return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, text);
}

function seconds(value) {
  if (!(value > 0) || value === Infinity) return "";
  if (value < 60) return `${Math.round(value * 10) / 10} s`;
  return `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")} min`;
}

// Cards.

function cardOf(item, index) {
  const label = `c${index}`;
  const card = make("article", {
    className: `card ${item.state}`, tabindex: -1, "aria-labelledby": `${label}s ${label}p`,
  });
  const length = make("li", { className: "length" }, seconds(item.seconds));
  const facts = make("ul", { className: "facts" },
    make("li", { className: "state", id: `${label}s` }, `${SIGNS[item.state]} ${item.state}`),
    item.number ? make("li", { className: "position" }, `#${item.number}`) : null,
    item.model ? make("li", {}, item.model) : null,
    ...item.shape.map((word) => make("li", {}, word)), length);
  const hasFile = item.files.length > 0;
  card.append(
    hasFile ? mediaOf(item, card) : reasonOf(item),
    make("div", { className: "body" },
      make("p", { className: "prompt", id: `${label}p`, dir: "auto" }, item.title), facts,
      hasFile && item.reason ? make("p", { className: "error" }, item.reason) : null,
      item.state !== "succeeded" && item.task_id
        ? make("p", { className: "task" }, item.task_id) : null,
      detailsOf(item, card)));
  card.item = item;
  card.lengthPlace = length;
  card.words = [item.title, item.number, item.key, item.model, item.state, item.action, item.message,
    item.task_id, item.trace_id, ...item.shape, ...item.files.map((file) => file.name),
  ].filter(Boolean).join("\n").toLowerCase();
  return card;
}

function mediaOf(item, card) {
  const media = make("div", { className: "media" });
  if (item.poster) media.append(make("img", { src: item.poster, alt: "", loading: "lazy", decoding: "async" }));
  // The keyboard reaches the card itself; this button is for a pointer.
  const button = make("button", { type: "button", className: "play", tabindex: -1, "aria-label": "Play" });
  button.addEventListener("click", () => play(card));
  media.append(button);
  return media;
}

function reasonOf(item) {
  return make("div", { className: "media reason" },
    make("span", { className: "sign", "aria-hidden": "true" }, SIGNS[item.state]),
    make("p", { dir: "auto" }, item.reason || "There is no file."));
}

function detailsOf(item, card) {
  const details = make("details", {}, make("summary", {}, "Details"));
  details.addEventListener("toggle", () => {
    card.classList.toggle("open", details.open);
    if (details.open && details.children.length === 1) details.append(listOf(item));
  });
  return details;
}

function listOf(item) {
  const list = make("dl");
  const add = (name, value, className = "") =>
    value && list.append(make("dt", {}, name), make("dd", { className, dir: "auto" }, ...[value].flat()));
  add("Reason", item.message);
  add("Task", item.task_id, "id");
  add("Trace", item.trace_id, "id");
  add("Key", item.key, "id");
  add("Action", item.action);
  for (const [name, value] of item.asked) add(name, link(value, value, ON_WEB));
  add("Took", seconds(item.took));
  add("Made", item.made_at);
  for (const file of item.files) add("File", link(file.href, file.name, IN_FOLDER));
  if (item.record) add("Record", link(item.record.href, item.record.name, IN_FOLDER));
  if (item.url) add("Online", link(item.url, item.url, ON_WEB));
  return list;
}

// Players: one for each card in view, and one for the card that plays.

function mount(card) {
  const file = card.item.files.at(-1);
  if (!file) return null;
  const media = card.firstElementChild;
  let video = media.querySelector("video");
  if (video) return video;
  video = make("video", {
    playsinline: "", loop: "", "aria-label": `Video: ${card.item.title}`,
    // Without a poster the video shows its own beginning.
    ...(card.item.poster ? { preload: "none", poster: card.item.poster } : { preload: "metadata" }),
  });
  video.addEventListener("loadedmetadata", () => {
    if (!card.lengthPlace.textContent) card.lengthPlace.textContent = seconds(video.duration);
  });
  video.addEventListener("error", () => { card.lengthPlace.textContent = "cannot be played"; });
  video.addEventListener("play", () => {
    pauseOthers(video);
    video.controls = true; // before that, controls would hide a third of the picture
    media.classList.add("begun");
  });
  video.src = file.href;
  media.lastElementChild.before(video);
  return video;
}

function unmount(card) {
  const video = card.querySelector("video");
  if (!video || !video.paused || document.fullscreenElement === video) return;
  video.removeAttribute("src");
  video.load(); // releases the decoder, which a removed element would keep
  video.remove();
  card.firstElementChild.classList.remove("begun");
}

function pauseOthers(video) {
  for (const other of grid.querySelectorAll("video")) if (other !== video) other.pause();
}

// A card that is only scrolled past gets no player.
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    clearTimeout(target.arrival);
    if (isIntersecting) target.arrival = setTimeout(mount, 120, target);
    else unmount(target);
  }
}, { rootMargin: "250px 0px" });

function play(card) {
  const video = mount(card);
  if (!video) return openDetails(card);
  if (video.paused) video.play().catch(() => {}); // the "error" event shows that it cannot play
  else video.pause();
}

function openDetails(card) {
  const details = card.querySelector("details");
  details.open = !details.open;
}

// Search and filter.

function apply() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = cards.filter((card) => {
    const { item } = card;
    const fits = (!chosen.state || item.state === chosen.state) && (!model.value || item.model === model.value)
      && words.every((word) => card.words.includes(word));
    if (!fits) card.querySelector("video")?.pause();
    card.hidden = !fits;
    return fits;
  });
  shown.forEach((card, place) => {
    card.setAttribute("aria-posinset", place + 1);
    card.setAttribute("aria-setsize", shown.length);
  });
  const of = shown.length === cards.length ? "" : ` of ${cards.length.toLocaleString("en")}`;
  $("count").textContent = `${shown.length.toLocaleString("en")}${of} ${cards.length === 1 ? "item" : "items"}`;
  $("empty").hidden = shown.length > 0;
  for (const button of $("states").children) {
    button.setAttribute("aria-pressed", String(button.value === chosen.state));
  }
  if (!shown.includes(current)) point(shown[0]);
}

function clear() {
  search.value = model.value = chosen.state = "";
  apply();
}

function buildControls() {
  const counts = new Map();
  for (const { state } of items) counts.set(state, (counts.get(state) || 0) + 1);
  const button = (state, sign, text, count) => {
    const made = make("button", { type: "button", value: state, className: state },
      sign && make("span", { className: "sign", "aria-hidden": "true" }, sign), text,
      make("span", { className: "number" }, count.toLocaleString("en")));
    made.addEventListener("click", () => { chosen.state = state; apply(); });
    return made;
  };
  $("states").append(button("", null, "All", items.length));
  for (const [state, sign] of Object.entries(SIGNS)) {
    if (counts.has(state)) $("states").append(button(state, sign, state, counts.get(state)));
  }
  const models = [...new Set(items.map((item) => item.model).filter(Boolean))].sort();
  model.append(make("option", { value: "" }, "All models"),
    ...models.map((name) => make("option", { value: name }, name)));
  model.hidden = models.length < 2;
}

// The keyboard: one card at a time can be reached with Tab, and the arrows move among them.

function point(card) {
  current?.setAttribute("tabindex", -1);
  current = card || null;
  current?.setAttribute("tabindex", 0);
}

function focus(card) {
  if (!card) return;
  point(card);
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function inView(card) {
  const { top, bottom } = card?.getBoundingClientRect() ?? { top: 0, bottom: -1 };
  return bottom > document.querySelector(".bar").offsetHeight && top < innerHeight;
}

function columns() {
  return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}

function move(key) {
  const place = shown.indexOf(current);
  const last = shown.length - 1;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
  if (key === "Home") return focus(shown[0]);
  if (key === "End") return focus(shown[last]);
  const next = place + steps[key];
  if (next >= 0 && next <= last) focus(shown[next]);
}

function onCardKey(event, card) {
  if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) {
    point(card);
    move(event.key);
  } else if (event.key === " " || event.key === "Enter") {
    play(card);
  } else {
    return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === search || event.target === model;
  if (event.key === "Escape" && !document.fullscreenElement) {
    clear();
    search.blur();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "ArrowDown" && event.target === search) {
    event.preventDefault();
    focus(shown[0]);
  } else if (event.target.classList?.contains("card")) {
    onCardKey(event, event.target);
  } else if (event.key.startsWith("Arrow") && event.target === document.body) {
    event.preventDefault();
    focus(inView(current) ? current : shown.find(inView));
  }
});
grid.addEventListener("focusin", (event) => point(event.target.closest(".card")));
$("controls").addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", apply);
model.addEventListener("change", apply);
$("clear").addEventListener("click", clear);

buildControls();
const cards = items.map(cardOf);
grid.append(...cards);
for (const card of cards) if (card.item.files.length) watcher.observe(card);
$("notes").append(...notes.map((note) => make("li", {}, note)));
$("notes").hidden = notes.length === 0;
apply();
