// What ipywidgets has no accessible form of: cards with stars, a labelled knob, the map of films.
// One model is one of them, by its `kind`. Markup in `html`, `svg` and `marks` comes escaped from
// cards.py; everything else is set as text. What a visitor does goes to Python as one message.

const PATIENCE = 10000; // milliseconds until a missing answer is said

// JupyterLab's shortcuts of single keys, which would take Enter and the arrows from a notebook's cell
const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

function tag(name, classes = "", attributes = {}, text = "") {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

// Sends what was done; a busy state while the answer is awaited, words where none comes.
function messenger(model, root, alarm) {
  let waiting = 0, timer = null;
  const settle = () => {
    waiting = 0;
    clearTimeout(timer);
    root.removeAttribute("aria-busy");
    alarm.textContent = model.get("error");
  };
  model.on("change:answered", settle);
  return (action, movie_id, value = null) => {
    waiting += 1;
    root.setAttribute("aria-busy", "true");
    clearTimeout(timer);
    timer = setTimeout(() => {
      root.removeAttribute("aria-busy");
      alarm.textContent = "No answer came. The page may have been idle for long: reload it.";
    }, PATIENCE);
    model.send({ action, movie_id, value });
  };
}

// --- cards ---------------------------------------------------------------------------------------

function stars(values, given, title, chosen) {
  const group = tag("div", "mr-stars-in", { role: "radiogroup", "aria-label": `Your stars for ${title}` });
  const half = values.some((value) => value % 1);
  const buttons = values.map((value) => {
    const name = value === 1 ? "1 star" : `${value} stars`;
    const button = tag("button", half ? (value % 1 ? "mr-star mr-left" : "mr-star mr-right") : "mr-star", {
      type: "button", role: "radio", "aria-label": name, title: name,
      "aria-checked": String(value === given), tabindex: "-1",
    });
    button.append(tag("span", "", { "aria-hidden": "true" }, "★"));
    button.classList.toggle("mr-lit", given !== null && value <= given);
    button.addEventListener("click", () => chosen(value));
    return button;
  });
  group.append(...buttons);
  const home = Math.max(values.indexOf(given), 0);
  buttons[home].tabIndex = 0;
  const preview = (upto) => {
    group.classList.toggle("mr-previewed", upto !== null);
    buttons.forEach((button, n) => button.classList.toggle("mr-preview", upto !== null && n <= upto));
  };
  buttons.forEach((button, n) => {
    button.addEventListener("mouseenter", () => preview(n));
    button.addEventListener("focus", () => { if (button.matches(":focus-visible")) preview(n); });
    button.addEventListener("blur", () => preview(null));
  });
  group.addEventListener("mouseleave", () => preview(null));
  // as in a toolbar: arrows move without choosing, so that no star is given by passing over it
  group.addEventListener("keydown", (event) => {
    const n = buttons.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    let to = step ? n + step : { Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    to = Math.min(Math.max(to, 0), buttons.length - 1);
    buttons.forEach((button, m) => { button.tabIndex = m === to ? 0 : -1; });
    buttons[to].focus();
    preview(to);
    event.preventDefault();
    event.stopPropagation();
  });
  return group;
}

function renderCards({ model, el }) {
  const root = tag("section", "mr-root mr-cards", OWN_KEYS);
  const heading = tag("h2", "mr-heading");
  const status = tag("p", "mr-status", { role: "status" });
  const alarm = tag("p", "mr-alarm", { role: "alert" });
  const list = tag("ul", "mr-grid", { role: "list" });
  const dialog = tag("dialog", "mr-dialog");
  root.append(heading, status, alarm, list, dialog);
  el.append(root);
  const send = messenger(model, root, alarm);
  const pictures = new Map(); // addresses of posters by film
  const asked = new Set();

  const fill = (item) => {
    const card = item.card;
    const frame = item.node.querySelector(".mr-poster");
    if (!frame || !card.poster) return;
    if (pictures.has(card.movie_id)) {
      const image = tag("img", "", { alt: "", src: pictures.get(card.movie_id) });
      image.addEventListener("error", () => image.remove());
      frame.querySelector("img")?.remove();
      frame.append(image);
    } else if (!asked.has(card.movie_id)) {
      asked.add(card.movie_id);
      model.send({ action: "poster", movie_id: card.movie_id, value: null });
    }
  };

  const build = (card) => {
    const node = tag("li", "mr-card", { "data-movie": card.movie_id });
    const body = tag("div", "mr-body");
    body.innerHTML = card.html;
    node.append(body);
    const foot = tag("div", "mr-foot");
    if (card.rate) {
      foot.append(stars(model.get("star_values"), card.given, card.title,
        (value) => send("rate", card.movie_id, value)));
    }
    for (const [action, label] of card.buttons) {
      const button = tag("button", "mr-button", { type: "button", "aria-label": `${label}: ${card.title}` }, label);
      button.addEventListener("click", () => send(action, card.movie_id));
      foot.append(button);
    }
    if (foot.childElementCount) node.append(foot);
    const item = { node, card, made: JSON.stringify(card) };
    fill(item);
    return item;
  };

  let items = [];
  const draw = () => {
    heading.textContent = model.get("label");
    heading.hidden = !model.get("label");
    status.textContent = model.get("status");
    for (const look of ["compact", "one"]) root.classList.toggle(`mr-${look}`, model.get("look") === look);
    const before = new Map(items.map((item) => [item.card.movie_id, item]));
    const place = items.findIndex((item) => item.node.contains(document.activeElement));
    const focus = place < 0 ? null : document.activeElement.getAttribute("role") === "radio" ? "radio"
      : document.activeElement.textContent;
    const focused = place < 0 ? null : items[place].node;
    items = model.get("cards").map((card) => {
      const old = before.get(card.movie_id);
      return old && old.made === JSON.stringify(card) ? old : build(card);
    });
    items.forEach((item, n) => {
      if (list.children[n] !== item.node) list.insertBefore(item.node, list.children[n] ?? null);
    });
    while (list.children.length > items.length) list.lastElementChild.remove();
    if (focused && !focused.contains(document.activeElement)) { // the card in use was replaced
      const node = items[Math.min(place, items.length - 1)]?.node;
      const radio = node?.querySelector('[role="radio"][tabindex="0"]');
      const same = [...(node?.querySelectorAll(".mr-button") ?? [])].find((b) => b.textContent === focus);
      ((focus === "radio" ? radio : same) ?? radio ?? node?.querySelector("button"))?.focus();
    }
  };

  let opener = null;
  const note = () => {
    const { title, html } = model.get("note");
    if (!html) {
      if (dialog.open) dialog.close();
      return;
    }
    const name = tag("h2", "mr-heading", {}, title);
    const content = tag("div");
    content.innerHTML = html;
    const close = tag("button", "mr-button", { type: "button" }, "Close");
    close.addEventListener("click", () => dialog.close());
    dialog.setAttribute("aria-label", title);
    dialog.replaceChildren(name, content, close);
    opener = document.activeElement;
    if (!dialog.open) dialog.showModal();
  };
  dialog.addEventListener("close", () => {
    opener?.focus();
    model.send({ action: "close", movie_id: null, value: null });
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => event.stopPropagation());

  const arrived = (content, buffers) => {
    if (content.poster === undefined || !buffers.length) return;
    pictures.set(content.poster, URL.createObjectURL(new Blob([buffers[0]], { type: content.type })));
    items.filter((item) => item.card.movie_id === content.poster).forEach(fill);
  };
  model.on("msg:custom", arrived);
  model.on("change:cards change:label change:status change:look", draw);
  model.on("change:note", note);
  draw();
  return () => {
    pictures.forEach((address) => URL.revokeObjectURL(address));
    model.off("msg:custom", arrived);
  };
}

// --- knob ----------------------------------------------------------------------------------------

function renderKnob({ model, el }) {
  const label = tag("label", "mr-root mr-knob", OWN_KEYS);
  const name = tag("span", "mr-knob-name");
  const input = tag("input", "", { type: "range" });
  const says = tag("output", "mr-knob-says");
  label.append(name, input, says);
  el.append(label);
  const draw = () => {
    name.textContent = model.get("label");
    for (const key of ["min", "max", "step"]) input[key] = model.get(key);
    input.value = model.get("value");
    input.disabled = model.get("disabled");
    says.textContent = model.get("says");
    input.setAttribute("aria-valuetext", model.get("says"));
  };
  input.addEventListener("input", () => {
    model.set("value", Number(input.value));
    model.save_changes();
  });
  model.on("change", draw);
  draw();
}

// --- map -----------------------------------------------------------------------------------------

function renderMap({ model, el }) {
  const root = tag("figure", "mr-root mr-map", OWN_KEYS);
  const frame = tag("div", "mr-map-frame");
  const alarm = tag("p", "mr-alarm", { role: "alert" });
  const tip = tag("div", "mr-tip", { "aria-hidden": "true" });
  root.append(frame, alarm);
  el.append(root);
  const send = messenger(model, root, alarm);
  let near = -1;
  const draw = () => {
    frame.innerHTML = model.get("svg");
    frame.append(tip);
    mark();
  };
  const mark = () => {
    const layer = frame.querySelector(".mr-marks");
    if (!layer) return;
    layer.innerHTML = model.get("marks");
    frame.querySelector("svg").setAttribute("aria-label", model.get("description"));
  };
  const nearest = (event) => {
    const svg = frame.querySelector("svg");
    if (!svg) return -1;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const reach = 14 * svg.viewBox.baseVal.width / svg.getBoundingClientRect().width;
    let best = -1, least = reach * reach;
    model.get("points").forEach(([x, y], n) => {
      const away = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (away < least) [best, least] = [n, away];
    });
    return best;
  };
  frame.addEventListener("pointermove", (event) => {
    near = nearest(event);
    tip.hidden = near < 0;
    frame.style.cursor = near < 0 ? "" : "pointer";
    if (near < 0) return;
    tip.textContent = model.get("titles")[near];
    const box = frame.getBoundingClientRect();
    const left = event.clientX - box.left;
    tip.style.top = `${event.clientY - box.top + 14}px`;
    tip.style.left = left < box.width / 2 ? `${left}px` : "";
    tip.style.right = left < box.width / 2 ? "" : `${box.width - left}px`;
  });
  frame.addEventListener("pointerleave", () => { tip.hidden = true; });
  frame.addEventListener("click", (event) => {
    const found = nearest(event);
    if (found >= 0) send("film", model.get("ids")[found]);
  });
  tip.hidden = true;
  model.on("change:svg", draw);
  model.on("change:marks change:description", mark);
  draw();
}

export default {
  render(context) {
    return { cards: renderCards, knob: renderKnob, map: renderMap }[context.model.get("kind")](context);
  },
};
