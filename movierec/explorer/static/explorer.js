// The explorer: one component for the page and for notebooks. It is given a transport, which asks the
// service (`service.py`) its questions, and a table of sentences (`words.json`); nothing else differs.
//
//   transport.ask(name, question, signal) -> Promise of the answer; throws {status, message}, 0: no connection
//   transport.picture(movie_id)           -> Promise of an address
//   transport.load(), transport.save(state): where the state is kept; transport.page: whether a page
//   transport.about: the answer to "about", where it is there already

const EMPTY = {
  ratings: [], unknown: [], deny: [], gender: null, age: null, occupation: null,
  k: 12, temperature: 0, seed: 0, variety: 0, liking: null, daring: 0, genres: [], first_year: null, last_year: null,
  view: "for-you", film: null, person: null, group: [], least: 0, lang: null, theme: null,
};
const TUNING = ["k", "temperature", "seed", "variety", "liking", "daring", "genres", "first_year", "last_year"];
const TOLD = ["ratings", "unknown", "deny", "gender", "age", "occupation"];
const VIEWS = ["for-you", "together", "person", "map"];
const PROBABLE = 1.28; // standard deviations to each side that hold four of five
const SLOW = 400, GLIDE = 150, PASSING = 8000; // milliseconds
const LARGEST = 2 ** 21; // bytes of a file
const SVG = "http://www.w3.org/2000/svg";

// --- small tools ---------------------------------------------------------------------------------

function h(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "circle", "rect", "g"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value); // not a style attribute: the policy
    else if (["value", "checked", "disabled", "hidden"].includes(key)) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const without = (list, ...gone) => list.filter((one) => !gone.includes(one));
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const copy = (value) => JSON.parse(JSON.stringify(value));

function seeded(seed) { // mulberry32: the same cover for the same film everywhere
  let a = (seed + 1) * 0x9e3779b1;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// --- covers --------------------------------------------------------------------------------------

const hue = (number) => Math.round(number * 137.508 + 252) % 360; // neighbours in the list are far apart

// The lower half of a cover: its pattern, by the film's id.
function pattern(random, colours) {
  const marks = [], pick = () => colours[Math.floor(random() * colours.length)];
  const x = 20 + 60 * random(), y = 110 + 20 * random();
  const kind = Math.floor(random() * 6);
  if (kind === 0) { // rays
    const count = 9 + Math.floor(random() * 8);
    for (let n = 0; n < count; n += 1) {
      const at = (angle) => `${(x + 190 * Math.cos(angle)).toFixed(1)} ${(y - 190 * Math.sin(angle)).toFixed(1)}`;
      const from = Math.PI * (n + 0.1) / count, to = Math.PI * (n + 0.6) / count;
      marks.push(h("path", { d: `M${x} ${y}L${at(from)} ${at(to)}Z`, fill: pick() }));
    }
    marks.push(h("circle", { cx: x, cy: y, r: 14, fill: colours[0] }));
  } else if (kind === 1) { // waves
    for (let n = 0; n < 6; n += 1) {
      const top = 72 + 13 * n, swing = 6 + 8 * random();
      marks.push(h("path", { d: `M0 ${top}q25 ${-swing} 50 0t50 0V150H0Z`, fill: colours[n % colours.length], opacity: 0.75 }));
    }
  } else if (kind === 2) { // a grid
    const size = [10, 12.5, 20][Math.floor(random() * 3)];
    for (let a = 0; a < 100; a += size) for (let b = 150 - 6 * size; b < 150; b += size) {
      if (random() < 0.25 + 0.6 * (b - 60) / 90) marks.push(h("rect", { x: a, y: b, width: size - 1.2, height: size - 1.2, fill: pick() }));
    }
  } else if (kind === 3) { // discs
    for (let n = 0; n < 7; n += 1) marks.push(h("circle", { cx: 100 * random(), cy: 85 + 60 * random(), r: 6 + 22 * random(), fill: pick(), opacity: 0.8 }));
  } else if (kind === 4) { // rings
    for (let n = 7; n > 0; n -= 1) marks.push(h("circle", { cx: x, cy: y + 12, r: 8 * n, fill: colours[n % colours.length], opacity: 0.9 }));
  } else { // a skyline
    for (let a = 0; a < 100; ) {
      const width = 7 + 12 * random(), height = 18 + 52 * random();
      marks.push(h("rect", { x: a, y: 150 - height, width: width - 0.8, height, fill: pick() }));
      a += width;
    }
  }
  return marks;
}

// --- the component -------------------------------------------------------------------------------

export function mount(root, transport, words) {
  let state = { ...copy(EMPTY), ...transport.load() };
  let about = transport.about ?? null, answer = null, queue = [], undone = [], asking = null, sequence = 0, retry = null, waits = 2000;
  let mapped = null, fresh = new Set(), pane = "rate", closing = false;
  const films = new Map(), extra = new Map(), pictures = new Map(), drawn = new Map(), cards = new Map(), skipped = [], seenOnList = new Set();
  const live = new AbortController(); // ends the listeners of the document

  // --- words

  const language = () => state.lang ?? ((navigator.language ?? "en").toLowerCase().startsWith("zh") ? "zh" : "en");
  const t = (key, values = {}) => (words[language()][key] ?? words.en[key] ?? key)
    .replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  // 1,234.5 in both languages; the browser's own formats take 30 ms to be there
  const number = (value, digits = 0) => value.toFixed(digits).replace(/\B(?=(\d{3})+(\.|$))/g, ",");
  const starred = (value) => number(value, value % 1 ? 1 : 0);
  const named = (key) => words[language()].names?.[key] ?? key; // genres, jobs and ages, which come from the data
  const titled = (film) => (about?.language?.slice(0, 2) === language() && extra.get(film.movie_id)?.title) || film.title;
  const quoted = (title) => `\u0002${t("quoted", { title })}\u0003`;
  const rich = (text) => text.split(/[\u0002\u0003]/).map((part, n) => (n % 2 ? h("b", {}, part) : part)); // titles stand out
  const facts = (film) => [film.year, film.genres.map(named).join(t("comma"))].filter(Boolean).join(" · ");
  const given = (id) => state.ratings.find(([film]) => film === id)?.[1] ?? null;
  const top = () => about?.stars.at(-1) ?? 5;

  function reason(film) {
    if (!film.why) return film.times >= 1.2 ? t("times", { n: number(film.times, 1) }) : "";
    const { speaks, though } = film.why;
    const they = state.view === "person" ? "they" : "you";
    if (!speaks.length) return though ? but(though, they) : state.ratings.length || they === "they" ? t("nothing") : ""; // at first the heading says it for all
    const loved = speaks.every((one) => one.stars >= top() - 0.5);
    return t(`${they}-${loved ? "loved" : "liked"}`, { films: speaks.map((one) => quoted(one.title)).join(t("and")) });
  }

  const but = (though, they) => t(`${they}-though`, { film: quoted(though.title), n: countOf(though.stars) });
  const countOf = (stars) => t(stars === 1 ? "one-star" : "n-stars", { n: starred(stars) });

  // --- parts of a film

  function cover(film, large = false) {
    const places = film.genres.map((name) => about.genres.indexOf(name) + 1);
    const [first, second] = [places[0] ?? 0, places[1] ?? (places[0] ?? 0) + 3].map((place) => Math.round(hue(place) + 56 * (seeded(film.movie_id + 3)() - 0.5))); // a list of one genre is no wall of one colour
    const grey = places.length ? "" : " mr-grey";
    const paper = seeded(film.movie_id + 7)() < 0.3; // some are printed on light paper
    const colours = [`oklch(.72 .15 ${second})`, `oklch(.58 .14 ${first})`, `oklch(${paper ? ".82 .09" : ".44 .1"} ${second})`]; // alike in lightness, whatever the hue
    const decade = Math.floor((film.year ?? 1990) / 10) * 10;
    const era = decade < 1960 ? "serif" : decade < 1980 ? "tall" : decade < 2000 ? "wide" : "thin";
    const name = titled(film), longest = Math.max(...name.split(/[\s-]/).map((word) => word.length));
    const size = /[\u3000-\u9fff]/.test(name) ? 10 : Math.min(13, 84 / (0.68 * longest), 52 / Math.sqrt(name.length));
    if (!drawn.has(film.movie_id)) drawn.set(film.movie_id, h("svg", { viewBox: "0 0 100 150", preserveAspectRatio: "xMidYMax slice", "aria-hidden": "true" }, pattern(seeded(film.movie_id), colours)));
    const picture = drawn.get(film.movie_id).cloneNode(true);
    const face = h("span", { class: `mr-cover mr-${era}${grey}${paper ? " mr-paper" : ""}${large ? " mr-large" : ""}`, "--hue": first, "--size": Math.max(size, 5.5).toFixed(1), "data-poster": film.movie_id },
      picture, h("span", { class: "mr-cover-title" }, name), film.year && h("span", { class: "mr-cover-year" }, String(film.year)));
    dress(face, film.movie_id);
    return face;
  }

  function dress(face, id) { // a poster in place of the drawn cover, which it covers
    if (!pictures.has(id) || face.querySelector("img")) return;
    pictures.get(id).then((address) => {
      const image = h("img", { alt: "", src: address, onerror: () => image.remove() });
      face.title = face.querySelector(".mr-cover-title").textContent; // which a poster may say in ornate letters, or not at all
      face.append(image);
    }, () => {});
  }

  function starsOf(film, chosen) {
    const values = about.stars, now = given(film.movie_id), half = values.some((value) => value % 1);
    const group = h("span", { class: `mr-stars${half ? " mr-halves" : ""}`, role: "radiogroup", "aria-label": t("your-stars", { film: titled(film) }) });
    const buttons = values.map((value) => h("button", {
      type: "button", role: "radio", class: `mr-star${now !== null && value <= now ? " mr-lit" : ""}`, "aria-checked": String(value === now),
      "aria-label": countOf(value), tabindex: "-1",
      onclick: () => chosen(value),
    }, h("span", { "aria-hidden": "true" }, "★")));
    buttons[Math.max(values.indexOf(now), 0)].tabIndex = 0;
    const preview = (upto) => {
      group.classList.toggle("mr-previewed", upto !== null);
      buttons.forEach((button, n) => button.classList.toggle("mr-preview", upto !== null && n <= upto));
    };
    buttons.forEach((button, n) => {
      button.addEventListener("mousemove", (event) => { if (event.movementX || event.movementY) preview(n); }); // not by lying below it
      button.addEventListener("focus", () => { if (button.matches(":focus-visible")) preview(n); });
      button.addEventListener("blur", () => preview(null));
    });
    group.addEventListener("mouseleave", () => preview(null));
    group.addEventListener("keydown", (event) => { // arrows move without choosing: no star by passing over it
      const n = buttons.indexOf(document.activeElement);
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      const to = step ? Math.min(Math.max(n + step, 0), buttons.length - 1) : { Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined) return;
      buttons.forEach((button, m) => { button.tabIndex = m === to ? 0 : -1; });
      buttons[to].focus();
      event.preventDefault();
      event.stopPropagation();
    });
    group.append(...buttons);
    return group;
  }

  // The predicted stars as a number, a dot on the scale, and a whisker that holds four of five.
  function guess(film) {
    if (film.predicted === undefined && !film.each) return null;
    const [low, high] = [about.stars[0], top()];
    const place = (value) => `${(100 * (Math.min(Math.max(value, low), high) - low) / (high - low)).toFixed(1)}%`;
    const reach = PROBABLE * (film.std ?? 0), from = Math.max(film.predicted - reach, low), to = Math.min(film.predicted + reach, high);
    const said = film.each ? t("each-gives", { list: film.each.map((value) => number(value, 1)).join(t("comma")) })
      : film.std === undefined ? t("predicted", { n: number(film.predicted, 1) })
        : t("predicted-between", { n: number(film.predicted, 1), low: number(from, 1), high: number(to, 1) });
    return h("span", { class: "mr-guess", title: said },
      h("b", { "aria-hidden": "true" }, h("span", {}, "★"), number(film.each ? Math.min(...film.each) : film.predicted, 1)),
      h("span", { class: "mr-track", "aria-hidden": "true", "--steps": high - low },
        film.std !== undefined && h("i", { class: "mr-whisker", "--from": place(from), "--to": place(to) }),
        (film.each ?? [film.predicted]).map((value, n) => h("i", { class: `mr-dot mr-dot-${film.each ? n : 0}`, "--at": place(value) }))),
      h("span", { class: "mr-unseen" }, said));
  }

  function card(film) { // the same node as long as it shows the same
    const same = JSON.stringify([film, language(), state.view, fresh.has(film.movie_id), state.ratings.length > 0, extra.has(film.movie_id)]);
    const old = cards.get(film.movie_id);
    if (old?.same === same) return old.node;
    const node = newCard(film);
    cards.set(film.movie_id, { same, node });
    return node;
  }

  function newCard(film) {
    const open = h("button", { type: "button", class: "mr-open", "aria-label": t("look-at", { film: titled(film), facts: facts(film) }), onclick: () => look(film.movie_id) }, cover(film));
    const quick = h("span", { class: "mr-quick" });
    const own = state.view === "for-you";
    if (own) {
      const rate = h("span", { class: "mr-seen" }, h("span", { class: "mr-seen-word", "aria-hidden": "true" }, t("seen-it")), starsOf(film, (value) => give(film.movie_id, value)));
      quick.append(rate, h("button", { type: "button", class: "mr-small", "aria-label": t("not-for-me-film", { film: titled(film) }), onclick: () => deny(film.movie_id) }, t("not-for-me")));
    }
    return h("li", { class: "mr-card", "data-film": film.movie_id },
      h("div", { class: "mr-face" }, open, quick, fresh.has(film.movie_id) && h("span", { class: "mr-new" }, t("new"))),
      h("div", { class: "mr-below" }, h("span", { class: "mr-row-title", "aria-hidden": "true" }, titled(film), h("small", {}, facts(film))), guess(film), h("p", { class: "mr-why" }, rich(reason(film)))));
  }

  function row(film, ...more) {
    return h("li", { class: "mr-row", "data-film": film.movie_id },
      h("button", { type: "button", class: "mr-open", "aria-label": t("look-at", { film: titled(film), facts: facts(film) }), onclick: () => look(film.movie_id) }, cover(film)),
      h("div", { class: "mr-row-text" }, h("span", { class: "mr-row-title" }, titled(film), h("small", {}, facts(film))), ...more));
  }

  // --- the frame

  const view = h("section", { class: "mr-view" }), me = h("aside", { class: "mr-me" });
  const bar = h("nav", { class: "mr-bar" }), head = h("header", { class: "mr-head" }), alarm = h("p", { class: "mr-alarm", role: "alert" });
  const said = h("p", { class: "mr-unseen", role: "status" }), toast = h("p", { class: "mr-toast" });
  const sheet = h("dialog", { class: "mr-sheet" }), box = h("dialog", { class: "mr-box" });
  const frame = h("div", { class: "mr-explorer", "data-lm-suppress-shortcuts": "true", tabindex: "-1" }, head, alarm, said, h("div", { class: "mr-main" }, me, view), toast, bar, sheet, box);
  root.replaceChildren(frame);
  sheet.addEventListener("close", () => { if (!closing) change({ film: null }, false); });
  for (const dialog of [sheet, box]) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  function drawHead() {
    const tab = (name) => h("button", { type: "button", class: "mr-tab", "aria-current": state.view === name ? "page" : null, onclick: () => { change({ view: name }); show("list"); } }, t(`view-${name}`));
    head.replaceChildren(...[
      h("h1", { class: "mr-brand" }, "movierec"), h("nav", { class: "mr-tabs", "aria-label": t("views") }, VIEWS.map(tab)),
      h("button", { type: "button", class: "mr-small", lang: language() === "zh" ? "en" : "zh", onclick: () => change({ lang: language() === "zh" ? "en" : "zh" }) }, language() === "zh" ? "English" : "中文"),
      transport.page && h("button", { type: "button", class: "mr-small", "aria-label": t("theme"), onclick: () => change({ theme: dark() ? "light" : "dark" }, false) }, "◐")].filter(Boolean));
    const count = (answer?.films ?? []).filter((film) => !seenOnList.has(film.movie_id)).length;
    const button = (name, badge) => h("button", { type: "button", "aria-current": pane === name ? "page" : null, onclick: () => { if (name === "list" && state.view !== "for-you") change({ view: "for-you" }); show(name); } },
      h("span", { class: "mr-bar-icon", "aria-hidden": "true" }, { rate: "★", list: "▤", search: "⌕", more: "☰" }[name]), t(`pane-${name}`), badge > 0 && h("span", { class: "mr-badge", "aria-label": t("n-new", { n: badge }) }, String(badge)));
    bar.replaceChildren(button("rate"), button("list", pane === "list" ? 0 : count), button("search"), button("more"));
    bar.setAttribute("aria-label", t("panes"));
  }

  const dark = () => (state.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function show(name) {
    pane = name;
    frame.dataset.pane = name;
    if (name === "list") (answer?.films ?? []).forEach((film) => seenOnList.add(film.movie_id));
    drawHead();
    if (name === "search") me.querySelector(".mr-search")?.focus();
  }

  // --- what the visitor tells

  function remember() {
    toast.replaceChildren(); // what it could undo is no longer the last
    undone.push(copy(Object.fromEntries(TOLD.map((key) => [key, state[key]]))));
    if (undone.length > 50) undone.shift();
  }

  let passing = null;
  function tell(text) { // what a card that is gone by then cannot show; it can be undone here
    said.textContent = text;
    toast.replaceChildren(h("span", { "aria-hidden": "true" }, text), h("button", { type: "button", class: "mr-button", onclick: undo }, t("undo")));
    clearTimeout(passing);
    passing = setTimeout(quiet, PASSING);
  }

  const quiet = () => { if (toast.matches(":hover, :focus-within")) passing = setTimeout(quiet, PASSING); else toast.replaceChildren(); };

  function give(id, stars) {
    const asked = queue[0]?.movie_id === id; // its place shows what comes of it
    remember();
    change({ ratings: [...state.ratings.filter(([film]) => film !== id), [id, stars]], unknown: without(state.unknown, id), deny: without(state.deny, id) });
    const text = t("given", { film: titled(films.get(id)), n: starred(stars) });
    if (asked) said.textContent = text; else tell(text);
  }

  function unseen(id) {
    remember();
    change({ ratings: state.ratings.filter(([film]) => film !== id), unknown: [...without(state.unknown, id), id] });
  }

  function deny(id) {
    remember();
    change({ deny: [...without(state.deny, id), id] });
    tell(t("denied", { film: titled(films.get(id)) }));
  }

  function takeBack(id) {
    remember();
    change({ ratings: state.ratings.filter(([film]) => film !== id), unknown: without(state.unknown, id) });
  }

  function undo() {
    toast.replaceChildren();
    if (undone.length) change(undone.pop());
  }

  function look(id) { change({ film: id }, false); }

  function change(changes, ask = true) {
    state = { ...state, ...changes };
    transport.save(state);
    if (TOLD.some((key) => key in changes)) queue = queue.filter((film) => given(film.movie_id) === null && !state.unknown.includes(film.movie_id));
    if (ask) refresh(); // the question goes out before anything is drawn
    draw(Object.keys(changes).every((key) => TOLD.includes(key) || key === "film"));
    if (ask && sheet.open && state.film !== null) drawSheet(); // its stars are others now
  }

  // --- asking

  const told = () => ({ ratings: Object.fromEntries(state.ratings), unknown: state.unknown, gender: state.gender, age: state.age, occupation: state.occupation });
  const tuned = () => ({ ...Object.fromEntries(TUNING.map((key) => [key, state[key]])), deny: state.deny });

  async function ask(name, question = {}, signal = undefined) {
    const got = await transport.ask(name, question, signal);
    for (const film of [got.films, got.ask, got.film].flat()) if (film?.movie_id) films.set(film.movie_id, film);
    return got;
  }

  async function refresh() {
    const mine = sequence += 1;
    asking?.abort();
    asking = new AbortController();
    clearTimeout(retry);
    const slow = setTimeout(() => view.setAttribute("aria-busy", "true"), SLOW);
    try {
      about ??= await ask("about");
      let got = null;
      const view = state.view;
      if (view === "map") mapped ??= await ask("map");
      if (view === "person") got = await ask("for-user", { ...tuned(), deny: [], user_id: state.person }, asking.signal);
      if (view === "together") {
        const { daring, ...settings } = tuned();
        got = await ask("for-group", { ...settings, least: state.least, people: [told(), ...state.group.map((one) => one.told ?? one.user_id)] }, asking.signal);
      }
      const stands = await ask("for-new-user", { ...told(), ...tuned(), ask: 3, shown: skipped }, asking.signal);
      if (mine !== sequence) return; // a later question is under way
      const before = new Set((answer?.films ?? []).map((film) => film.movie_id));
      got ??= stands;
      fresh = new Set(before.size && view === "for-you" ? got.films.map((film) => film.movie_id).filter((id) => !before.has(id)) : []);
      if (fresh.size > got.films?.length / 2) fresh.clear(); // where most are, marks say nothing
      answer = { ...got, known: stands.known, adds: stands.ask[0]?.adds ?? 0, of: view };
      const current = queue[0];
      queue = current ? [current, ...stands.ask.filter((film) => film.movie_id !== current.movie_id)] : stands.ask;
      const missing = state.ratings.map(([id]) => id).filter((id) => !films.has(id));
      if (missing.length) await ask("films", { movie_ids: missing.slice(0, 100) });
      alarm.textContent = "";
      waits = 2000;
      draw();
      if (sheet.querySelector("[role=alert]")) drawSheet(); // there was no connection
      gather();
    } catch (error) {
      if (mine !== sequence || error.name === "AbortError") return;
      if (error.status === undefined) throw error; // a mistake of ours
      const offline = error.status === 0;
      alarm.replaceChildren(offline ? t("offline") : error.status === 429 ? t("too-often") : error.status >= 500 ? t("fault") : t("refused", { why: error.message }), " ",
        h("button", { type: "button", class: "mr-button", onclick: refresh }, t("again")));
      if (offline || error.status === 429) later();
    } finally {
      clearTimeout(slow);
      if (mine === sequence) view.removeAttribute("aria-busy");
    }
  }

  function later() {
    clearTimeout(retry);
    retry = setTimeout(refresh, waits = Math.min(waits * 1.5, 30000));
  }

  // Posters that are there by now; the others are asked for again, later and later, and never waited for.
  let gathering = null;
  async function gather(pause = 1500) {
    clearTimeout(gathering);
    if (!about?.posters) return;
    const ids = [...new Set([...frame.querySelectorAll("[data-poster]")].map((face) => Number(face.dataset.poster)))].filter((id) => !extra.has(id)).slice(0, 100);
    if (!ids.length) return;
    try {
      const got = await transport.ask("posters", { movie_ids: ids });
      for (const one of got.known) {
        extra.set(one.movie_id, one);
        if (one.poster) pictures.set(one.movie_id, transport.picture(one.movie_id));
      }
      frame.querySelectorAll("[data-poster]").forEach((face) => {
        const id = Number(face.dataset.poster);
        const part = face.closest("[data-film]") ?? face;
        if (films.has(id)) for (const title of part.querySelectorAll(".mr-cover-title, .mr-row-title")) title.firstChild.textContent = titled(films.get(id));
        dress(face, id);
      });
      if (got.waiting.length && pause < 60000) gathering = setTimeout(() => gather(pause * 2), pause);
    } catch { // pictures are no news: the drawn covers stay
    }
  }

  // --- drawing

  function draw(sameList = false) {
    const list = !sameList || !answer; // a list stays until there is another
    const before = list ? places() : null; // before anything is drawn: later it would take a layout more
    frame.lang = language() === "zh" ? "zh-CN" : "en";
    if (state.theme) frame.dataset.theme = state.theme; else delete frame.dataset.theme;
    if (transport.page) document.documentElement.lang = frame.lang;
    drawHead();
    keepFocus(me, drawMe);
    if (list) { keepFocus(view, drawView); glide(before); }
    if (about && state.film !== null && !sheet.open) drawSheet();
    if (state.film === null && sheet.open) { closing = true; sheet.close(); closing = false; }
  }

  // What is drawn anew keeps the keyboard's place: the same control, or the one that took its place.
  function keepFocus(part, drawn) {
    const now = document.activeElement, inside = part.contains(now) && now !== part;
    const path = [];
    for (let node = now; inside && node !== part; node = node.parentElement) path.unshift([...node.parentElement.children].indexOf(node));
    const key = inside ? now.dataset.key : null;
    const value = inside && now.matches("input:not([type=range])") ? now.value : null;
    const caret = inside && now.selectionStart !== undefined && now.type !== "range" ? now.selectionStart : null;
    drawn();
    if (!inside || part.contains(document.activeElement)) return;
    let node = key ? part.querySelector(`[data-key="${key}"]`) : null;
    if (!node) node = path.reduce((at, n) => at && (at.children[n] ?? at.lastElementChild ?? at), part);
    if (node && !node.matches("button, input, select, summary, a")) node = node.querySelector("button, input");
    node?.focus({ preventScroll: true });
    if (value !== null && node?.dataset.key === key) node.value = value; // half typed
    if (caret !== null && node?.setSelectionRange) try { node.setSelectionRange(caret, caret); } catch { /* of another kind */ }
  }

  function ghosts(count) {
    return h("ul", { class: "mr-grid mr-ghosts", "aria-hidden": "true" }, Array.from({ length: count }, () => h("li", { class: "mr-card" }, h("span", { class: "mr-cover" }), h("i", {}), h("i", {}))));
  }

  // --- your films

  let found = null;
  function drawMe() {
    if (!about) { me.replaceChildren(h("div", { class: "mr-deck mr-ghosts" }, h("span", { class: "mr-cover mr-large" }))); return; }
    const open = [...me.querySelectorAll("details[open]")].map((one) => one.dataset.of);
    const film = queue[0], back = h("button", { type: "button", class: "mr-button", "data-key": "undo", disabled: !undone.length, onclick: undo }, t("undo"));
    const deck = h("section", { class: "mr-deck", "aria-label": t("deck") });
    if (!state.ratings.length) deck.append(h("p", { class: "mr-hello" }, t("promise"))); // on a phone, where no list is beside it
    if (film) {
      deck.append(h("p", { class: "mr-ask" }, t("have-you-seen")),
        h("button", { type: "button", class: "mr-open mr-deck-cover", "aria-label": t("look-at", { film: titled(film), facts: facts(film) }), onclick: () => look(film.movie_id) }, cover(film, true)),
        h("p", { class: "mr-deck-facts" }, film.genres.map(named).join(t("comma"))), starsOf(film, (value) => give(film.movie_id, value)),
        h("div", { class: "mr-line" },
          h("button", { type: "button", class: "mr-button", "data-key": "unseen", onclick: () => unseen(film.movie_id) }, t("not-seen")),
          h("button", { type: "button", class: "mr-button", "data-key": "skip", onclick: skip }, t("skip")), back),
        h("p", { class: "mr-quiet mr-keys" }, t("keys", { n: top() })));
    } else deck.append(h("p", { class: "mr-ask" }, t(answer ? "asked-all" : "loading")), back);
    const known = answer?.known ?? 0, adds = answer?.adds ?? 0;
    const meter = h("div", { class: "mr-known" },
      h("span", { id: "mr-known" }, t("known", { n: number(100 * known) })),
      h("div", { class: "mr-meter", role: "progressbar", "aria-labelledby": "mr-known", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(100 * known) },
        h("i", { "--to": `${100 * known}%` }), h("i", { class: "mr-adds", "--from": `${100 * known}%`, "--to": `${100 * (known + adds)}%` })),
      adds > 0.001 && h("small", {}, t("adds", { n: number(100 * adds, adds < 0.01 ? 1 : 0) })));
    const input = h("input", { type: "search", class: "mr-search mr-input", "data-key": "search", placeholder: t("search"), "aria-label": t("search"), maxlength: "200", value: found?.text ?? "", oninput: (event) => search(event.target.value) });
    const list = found && h("ul", { class: "mr-rows", "aria-label": t("found") }, found.films.map((one) => row(one, starsOf(one, (value) => give(one.movie_id, value)))));
    const searching = h("section", { class: "mr-searching" }, input, !found && h("p", { class: "mr-quiet mr-search-says" }, t("search-says", { n: number(about.films) })), found && !found.films.length && found.text.trim() && h("p", { role: "status" }, t("no-title", { text: found.text.trim() })), list);
    const rated = [...state.ratings].reverse().map(([id, stars]) => films.get(id) && h("li", {},
      h("button", { type: "button", class: "mr-chip", onclick: () => look(id) }, titled(films.get(id)), " ", h("b", {}, `★ ${starred(stars)}`)),
      h("button", { type: "button", class: "mr-chip-gone", "aria-label": t("take-back", { film: titled(films.get(id)) }), onclick: () => takeBack(id) }, "×")));
    const history = h("section", { class: "mr-rated" },
      h("h2", {}, t("your-films", { n: number(state.ratings.length) })), state.ratings.length ? h("ul", { class: "mr-chips" }, rated) : h("p", { class: "mr-quiet" }, t("none-yet")));
    me.replaceChildren(deck, meter, searching, history, settings());
    me.querySelectorAll("details").forEach((one) => { one.open = open.includes(one.dataset.of); });
  }

  function skip() {
    const film = queue.shift();
    if (film) skipped.push(film.movie_id);
    draw();
    refresh();
  }

  let typing = null;
  function search(text) {
    found = { text, films: found?.films ?? [] };
    clearTimeout(typing);
    typing = setTimeout(async () => {
      const got = text.trim() ? await ask("find", { text, k: 5 }).catch(() => ({ films: [] })) : { films: [] };
      if (found?.text !== text) return;
      found = text ? { text, films: got.films } : null;
      keepFocus(me, drawMe);
      gather();
    }, 80);
  }

  function settings() {
    const menu = (key, label, options) => h("label", { class: "mr-field" }, h("span", {}, t(label)),
      h("select", { class: "mr-input", "data-key": key, onchange: (event) => { remember(); change({ [key]: event.target.value === "" ? null : key === "gender" ? event.target.value : Number(event.target.value) }); } },
        h("option", { value: "" }, t("not-told")), options.map(([value, text]) => { const one = h("option", { value }, text); one.selected = state[key] === value; return one; })));
    const file = h("input", { type: "file", accept: ".json,.csv,.tsv,.txt,application/json,text/csv", class: "mr-unseen", "data-key": "file", "aria-label": t("load"), onchange: (event) => { if (event.target.files[0]) load(event.target.files[0]); event.target.value = ""; } });
    const parts = [];
    if (about.jobs.length) parts.push(h("details", { "data-of": "you" }, h("summary", {}, t("about-you")), h("p", { class: "mr-quiet" }, t("if-you-like")),
      menu("gender", "gender", [["F", t("woman")], ["M", t("man")]]), menu("age", "age", about.ages.map(([value, text]) => [value, named(text)])), menu("occupation", "job", about.jobs.map((text, value) => [value, named(text)]))));
    parts.push(h("details", { "data-of": "file" }, h("summary", {}, t("file")), h("p", { class: "mr-quiet" }, t("file-says")),
      h("div", { class: "mr-line" }, h("button", { type: "button", class: "mr-button", onclick: save }, t("save")), h("label", { class: "mr-button" }, t("load"), file))));
    parts.push(h("details", { "data-of": "kept" }, h("summary", {}, t("kept")), h("p", { class: "mr-quiet" }, t(transport.page ? "kept-page" : "kept-notebook")),
      h("button", { type: "button", class: "mr-button", onclick: () => { undone = []; found = null; skipped.length = 0; change({ ...copy(EMPTY), lang: state.lang, theme: state.theme }); transport.forget?.(); } }, t("forget"))));
    if (about.posters) parts.push(h("p", { class: "mr-quiet" }, about.posters));
    return h("section", { class: "mr-settings" }, parts);
  }

  // --- files

  async function save() {
    const kept = await ask("profile", told());
    const address = URL.createObjectURL(new Blob([JSON.stringify(kept, null, 1)], { type: "application/json" }));
    h("a", { href: address, download: "movierec-profile.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  async function load(file, into = null) {
    let got;
    try {
      if (file.size > LARGEST) throw new Error(t("too-large"));
      got = await ask("read-file", { text: await file.text() });
    } catch (error) {
      dialog(t("not-read", { name: file.name }), h("p", {}, error.message), h("p", { class: "mr-quiet" }, t("file-says")));
      return;
    }
    if (into) { into(got); return; }
    const unsure = got.unsure.filter((one) => one.films.length), chosen = unsure.map(({ year, films: [first] }) => (year && first.year === year ? first.movie_id : null)), missing = got.unsure.filter((one) => !one.films.length);
    const add = () => {
      remember();
      const pairs = [...got.ratings.map((one) => [one.movie_id, one.stars]), ...unsure.flatMap((one, n) => (chosen[n] ? [[chosen[n], one.stars]] : []))];
      const ids = new Set(pairs.map(([id]) => id));
      const more = got.kind === "profile" ? { unknown: got.unknown.filter((id) => !ids.has(id)), gender: got.gender ?? null, age: got.age ?? null, occupation: got.occupation ?? null } : {};
      change({ ...more, ratings: [...state.ratings.filter(([id]) => !ids.has(id)), ...pairs].slice(-2000), unknown: (more.unknown ?? state.unknown).filter((id) => !ids.has(id)) });
      box.close();
    };
    const button = h("button", { type: "button", class: "mr-button mr-strong", autofocus: true, onclick: add });
    const count = () => { button.textContent = t("add", { n: number(got.ratings.length + chosen.filter(Boolean).length) }); };
    count();
    dialog(t("read", { name: file.name }), h("p", {}, t("n-found", { n: number(got.ratings.length) }), got.skipped ? ` ${t("n-skipped", { n: number(got.skipped) })}` : ""),
      unsure.length && h("section", {}, h("h3", {}, t("unsure")), h("ul", { class: "mr-mend" }, unsure.map((one, n) => h("li", {}, h("label", { class: "mr-field" }, h("span", {}, `${one.title}${one.year ? ` (${one.year})` : ""} ★ ${starred(one.stars)}`),
        h("select", { class: "mr-input", onchange: (event) => { chosen[n] = Number(event.target.value) || null; count(); } }, h("option", { value: "" }, t("none-of-these")), one.films.map((film) => h("option", { value: film.movie_id, selected: film.movie_id === chosen[n] }, `${film.title}${film.year ? ` (${film.year})` : ""}`)))))))),
      missing.length && h("details", {}, h("summary", {}, t("n-missing", { n: number(missing.length) })), h("ul", { class: "mr-quiet" }, missing.slice(0, 500).map((one) => h("li", {}, `${t("line", { n: one.line })}: ${one.title}${one.year ? ` (${one.year})` : ""}`)))),
      h("div", { class: "mr-line" }, button, h("button", { type: "button", class: "mr-button", onclick: () => box.close() }, t("cancel"))));
  }

  function dialog(title, ...content) {
    box.setAttribute("aria-label", title);
    box.replaceChildren(h("div", { class: "mr-line mr-sheet-head" }, h("h2", {}, title), h("button", { type: "button", class: "mr-close", "aria-label": t("close"), onclick: () => box.close() }, "×")), ...content.filter(Boolean));
    if (!box.open) box.showModal();
  }

  // --- the lists

  function drawView() {
    const tuning = view.querySelector(".mr-tuning")?.open;
    const list = () => {
      if (!answer || answer.of !== state.view) return ghosts(12);
      if (!answer.films.length) return nothing();
      return h("ul", { class: `mr-grid mr-${state.view}`, "aria-label": t(`view-${state.view}`) }, answer.films.map(card));
    };
    const more = () => answer?.films.length >= state.k && state.k < 96 && h("button", { type: "button", class: "mr-button mr-more", "data-key": "more", onclick: () => change({ k: state.k + 12 }) }, t("more"));
    const parts = {
      "for-you": () => [h("div", { class: "mr-lead" }, h("h2", {}, t(state.ratings.length ? "for-you" : "first-title")), h("p", {}, state.ratings.length ? t("for-you-says") : about ? `${t("promise")} ${t("first-says", { films: number(about.films), people: number(about.people) })}` : "")), about && controls(true), list(), more()],
      together: () => [h("div", { class: "mr-lead" }, h("h2", {}, t("view-together")), h("p", {}, t("together-says"))), about && company(), about && controls(false), list(), more()],
      person: () => [h("div", { class: "mr-lead" }, h("h2", {}, t("view-person")), h("p", {}, t("person-says"))), about && whose(), about && controls(true), list(), more(), about && answer?.best && history()],
      map: () => [h("div", { class: "mr-lead" }, h("h2", {}, t("view-map")), h("p", {}, t("map-says"))), mapped && drawMap()],
    }[state.view]();
    view.replaceChildren(...parts.flat().filter(Boolean));
    if (answer) for (const id of cards.keys()) if (!answer.films.some((film) => film.movie_id === id)) cards.delete(id);
    if (tuning && view.querySelector(".mr-tuning")) view.querySelector(".mr-tuning").open = true;
    if (pane === "list") (answer?.films ?? []).forEach((film) => seenOnList.add(film.movie_id));
  }

  const listed = () => [...view.querySelectorAll(".mr-grid > [data-film]")];
  const places = () => new Map(still() ? [] : listed().map((node) => [node.dataset.film, node.getBoundingClientRect()]));

  function glide(before) { // films move to their new places
    if (before.size) for (const node of listed()) {
      const old = before.get(node.dataset.film), now = node.getBoundingClientRect();
      if (!old) node.animate([{ opacity: 0.2 }, { opacity: 1 }], GLIDE);
      else if (old.x !== now.x || old.y !== now.y) node.animate([{ transform: `translate(${old.x - now.x}px, ${old.y - now.y}px)` }, { transform: "none" }], { duration: GLIDE, easing: "ease-out" });
    }
  }

  function nothing() {
    const drop = { genres: { genres: [] }, years: { first_year: null, last_year: null }, least: { least: 0 } };
    return h("div", { class: "mr-nothing" }, h("p", { role: "status" }, t(answer.loosen?.length ? "nothing-left" : "seen-everything")),
      (answer.loosen ?? []).map((name) => h("button", { type: "button", class: "mr-button", onclick: () => change(drop[name]) }, t(`loosen-${name}`))));
  }

  function slider(key, low, high, value, changed, [min, max, step], name = key) {
    const input = h("input", { type: "range", min, max, step, value, "data-key": key, "aria-label": t(`${name}-label`), "aria-valuetext": t("between", { low, high, n: Math.round(100 * (value - min) / (max - min)) }), onchange: (event) => changed(Number(event.target.value)) });
    return h("label", { class: "mr-slide" }, h("span", {}, low), input, h("span", {}, high));
  }

  function controls(own) {
    const plain = TUNING.every((key) => key === "k" || JSON.stringify(state[key]) === JSON.stringify(EMPTY[key]));
    const genre = (name) => h("button", { type: "button", class: "mr-chip", "data-key": `genre-${name}`, "aria-pressed": String(state.genres.includes(name)), onclick: () => change({ genres: state.genres.includes(name) ? without(state.genres, name) : [...state.genres, name] }) }, named(name));
    const [first, last] = about.years ?? [0, 0];
    const year = (key, value, label) => h("label", { class: "mr-year" }, h("span", {}, t(label)), h("input", { type: "number", class: "mr-input", "data-key": key, min: first, max: last, value, onchange: (event) => {
      const at = Math.min(Math.max(Number(event.target.value) || value, first), last), other = key === "first_year" ? state.last_year : state.first_year;
      const pair = key === "first_year" ? [at, Math.max(at, other ?? last)] : [Math.min(at, other ?? first), at];
      change({ first_year: pair[0] > first ? pair[0] : null, last_year: pair[1] < last ? pair[1] : null });
    } }));
    return h("details", { class: "mr-tuning" }, h("summary", {}, t("tune"), !plain && h("span", { class: "mr-tuned" }, t("tuned"))),
      h("div", { class: "mr-knobs" },
        slider("liking", t("sure-bet"), t("true-love"), state.liking ?? about.liking, (value) => change({ liking: value }), [0, 1, 0.1]),
        own && slider("daring", t("no-letdown"), t("may-surprise"), state.daring, (value) => change({ daring: value }), [-1, 1, 0.25]),
        slider("variety", t("alike"), t("varied"), state.variety, (value) => change({ variety: value }), [0, 1, 0.1]),
        own && slider("temperature", t("safe"), t("adventurous"), state.temperature, (value) => change({ temperature: value }), [0, 2, 0.1])),
      h("div", { class: "mr-chips" }, about.genres.map(genre)),
      h("div", { class: "mr-line mr-left" }, about.years && [year("first_year", state.first_year ?? first, "from"), year("last_year", state.last_year ?? last, "to")],
        own && state.temperature > 0 && h("button", { type: "button", class: "mr-button", "data-key": "draw", onclick: () => change({ seed: state.seed + 1 }) }, t("draw-again")),
        !plain && h("button", { type: "button", class: "mr-button", "data-key": "plain", onclick: () => change(copy(Object.fromEntries(TUNING.map((key) => [key, EMPTY[key]])))) }, t("as-it-was"))));
  }

  function company() {
    const people = [t("you"), ...state.group.map((one) => one.name ?? t("person-n", { n: one.user_id }))];
    const gone = (n) => change({ group: state.group.filter((_, m) => m !== n) });
    const input = h("input", { type: "number", min: 1, class: "mr-input", "data-key": "member", "aria-label": t("person-id"), placeholder: t("person-id"), onkeydown: (event) => { if (event.key === "Enter") add(); } });
    const add = () => { const id = Number(input.value); if (Number.isInteger(id) && input.value) { input.value = ""; change({ group: [...state.group.filter((one) => one.user_id !== id), { user_id: id }].slice(0, 4) }); } };
    const file = h("input", { type: "file", class: "mr-unseen", accept: ".json,.csv", "aria-label": t("add-file"), onchange: (event) => { const chosen = event.target.files[0]; if (chosen) load(chosen, (got) => change({ group: [...state.group, { name: chosen.name.replace(/\.\w+$/, "").slice(0, 40), told: { ratings: Object.fromEntries(got.ratings.map((one) => [one.movie_id, one.stars])) } }].slice(0, 4) })); } });
    return h("section", { class: "mr-company" },
      h("ul", { class: "mr-chips" }, people.map((name, n) => h("li", {}, h("span", { class: "mr-chip" }, h("i", { class: `mr-dot mr-dot-${n} mr-still` }), " ", name), n > 0 && h("button", { type: "button", class: "mr-chip-gone", "aria-label": t("remove", { name }), onclick: () => gone(n - 1) }, "×")))),
      state.group.length < 4 && h("div", { class: "mr-line mr-left" }, h("label", { class: "mr-button" }, t("add-file"), file), input, h("button", { type: "button", class: "mr-button", onclick: add }, t("add-person"))),
      slider("least", state.least ? t("least", { n: starred(state.least) }) : t("least-any"), "", state.least, (value) => change({ least: value }), [0, top() - 0.5, 0.5]));
  }

  function whose() {
    const who = answer?.who;
    const words_ = who ? [who.gender && t(who.gender === "F" ? "woman" : "man"), who.age && named(who.age), who.occupation && named(who.occupation), t("n-rated", { n: number(answer.rated) })].filter(Boolean).join(" · ") : "";
    const input = h("input", { type: "number", min: 1, class: "mr-input", "data-key": "person", value: state.person ?? who?.user_id ?? "", onchange: (event) => { if (event.target.value) change({ person: Number(event.target.value) }); } });
    return h("div", { class: "mr-line mr-left" }, h("label", { class: "mr-year" }, h("span", {}, t("person-id")), input), h("button", { type: "button", class: "mr-button", "data-key": "somebody", onclick: () => change({ person: 1 + Math.floor(Math.random() * about.people) }) }, t("somebody")), h("span", { class: "mr-quiet" }, words_));
  }

  function history() {
    return h("section", {}, h("h3", {}, t("their-best")), h("ul", { class: "mr-chips" }, answer.best.map((film) => h("li", {}, h("button", { type: "button", class: "mr-chip", onclick: () => look(film.movie_id) }, film.title, " ", h("b", {}, `★ ${starred(film.stars)}`))))));
  }

  // --- a film

  async function drawSheet() {
    const id = state.film, they = state.view === "person" && answer?.who, who = they ? { user_id: answer.who.user_id } : told();
    const body = h("div", { class: "mr-sheet-body" });
    const title = films.get(id) ? titled(films.get(id)) : "…";
    sheet.setAttribute("aria-label", title);
    sheet.replaceChildren(h("div", { class: "mr-line mr-sheet-head" }, h("h2", {}, title), h("button", { type: "button", class: "mr-close", "aria-label": t("close"), onclick: () => sheet.close() }, "×")), body);
    if (!sheet.open) sheet.showModal();
    const slow = setTimeout(() => body.append(h("p", { role: "status" }, t("loading"))), SLOW);
    try {
      const told_ = await Promise.all([ask("explain", { ...who, movie_id: id }), ask("similar", { movie_id: id, k: 6 }), ask("also-liked", { movie_id: id, k: 6 }), ask("people-who-like", { movie_id: id, k: 6 })]);
      if (state.film !== id) return;
      const [why, similar, also, fans] = told_, film = why.film, own = they ? why.given : given(id);
      sheet.querySelector("h2").textContent = titled(film);
      sheet.setAttribute("aria-label", titled(film));
      const more = extra.get(id);
      body.replaceChildren(...[
        h("div", { class: "mr-sheet-top" }, cover(film, true), h("div", {}, h("p", {}, facts(film)), guess(film),
          h("p", { class: "mr-why" }, rich(reason(film))), film.why?.though && film.why.speaks.length > 0 && h("p", { class: "mr-why" }, rich(but(film.why.though, they ? "they" : "you"))),
          they ? h("p", {}, own ? t("they-gave", { n: starred(own) }) : t("they-not")) : [h("p", { class: "mr-quiet" }, t(own === null ? "seen-it" : "your-stars-are")), starsOf(film, (value) => give(id, value)), own !== null && h("button", { type: "button", class: "mr-small", onclick: () => takeBack(id) }, t("take-it-back"))])),
        h("div", { class: "mr-line mr-left" }, !they && own === null && h("button", { type: "button", class: "mr-small", onclick: () => { change({ film: null }, false); deny(id); } }, t("not-for-me")), h("button", { type: "button", class: "mr-small", onclick: () => { change({ film: null, view: "map" }); spot = id; } }, t("on-the-map")), transport.page && h("button", { type: "button", class: "mr-small", onclick: (event) => { navigator.clipboard?.writeText(location.href); event.target.textContent = t("copied"); } }, t("copy-link"))),
        more?.overview && h("p", {}, more.overview),
        why.reasons.length > 0 && h("details", { class: "mr-charts" }, h("summary", {}, t("why-title")), charts(why, they)),
        rows("similar", similar.films, (one) => h("small", { class: "mr-quiet" }, reason(one))), rows("also", also.films, (one) => guess(one)),
        h("section", {}, h("h3", {}, t("fans")), h("ul", { class: "mr-chips" }, fans.people.map((one) => h("li", {}, h("button", { type: "button", class: "mr-chip", onclick: () => { change({ film: null, view: "person", person: one.user_id }); } }, [one.gender && t(one.gender === "F" ? "woman" : "man"), one.age && named(one.age), one.occupation && named(one.occupation)].filter(Boolean).join(t("comma")) || t("person-n", { n: one.user_id }))))))].filter(Boolean));
      gather();
    } catch (error) {
      if (error.status === 0) later();
      if (error.status !== 0) sheet.querySelector("h2").textContent = t("no-such");
      body.replaceChildren(h("p", { role: error.status === 0 ? "alert" : "status" }, error.status === 0 ? t("offline") : t("no-film", { why: error.message })));
    } finally {
      clearTimeout(slow);
    }
  }

  const rows = (name, list, more) => list.length > 0 && h("section", {}, h("h3", {}, t(name)), h("ul", { class: "mr-rows" }, list.map((film) => row(film, more(film)))));

  function charts(why, they) {
    const own = they ? "they" : "you";
    const largest = why.reasons, bars = largest.slice(0, 7).map((one) => [one.title, one.stars, one.adds]);
    if (Math.abs(why.rest) > 0.005) bars.push([t("rest"), null, why.rest]);
    if (largest.length > 7) bars.push([t("others", { n: number(largest.length - 7) }), null, largest.slice(7).reduce((sum, one) => sum + one.adds, 0)]);
    const likely = [...why.reasons].sort((a, b) => b.share - a.share).filter((one) => one.share > 0).slice(0, 7).map((one) => [one.title, one.stars, 100 * one.share]);
    return [h("p", {}, t(`${own}-start`, { n: number(why.start, 2), end: number(why.film.predicted, 2) })), chart(t(`${own}-moves`), bars, true), likely.length > 0 && chart(t(`${own}-watch`), likely, false)];
  }

  function chart(caption, bars, signed) {
    const longest = Math.max(...bars.map(([, , length]) => Math.abs(length)), 1e-9);
    return h("table", { class: "mr-chart" }, h("caption", {}, caption), h("tbody", {}, bars.map(([name, stars, length]) => h("tr", {}, h("th", { scope: "row" }, name, stars !== null && h("small", {}, ` ★ ${starred(stars)}`)),
      h("td", { class: "mr-bars", "aria-hidden": "true" }, h("i", { class: length < 0 ? "mr-minus" : "mr-plus", "--long": `${(signed ? 50 : 100) * Math.abs(length) / longest}%`, "--from": !signed ? "0%" : length < 0 ? `${50 - 50 * Math.abs(length) / longest}%` : "50%" })),
      h("td", { class: "mr-number" }, signed ? `${length < 0 ? "−" : "+"}${number(Math.abs(length), 2)}` : `${number(length)} %`)))));
  }

  // --- the map

  const PALETTE = ["#1b6ca8", "#e07a10", "#2a8a43", "#c0397b", "#7a58c9", "#8a6d1d", "#19a3a3", "#8c8c94"]; // differ in lightness, too
  let spot = null, eye = { x: 0, y: 0, zoom: 1 };
  function drawMap() {
    const canvas = h("canvas", { class: "mr-canvas", tabindex: "0", role: "img", "data-key": "map", "aria-label": t("map-label", { n: number(mapped.movie_ids.length) }) });
    const tip = h("span", { class: "mr-tip", hidden: true, "aria-hidden": "true" }), near = h("ul", { class: "mr-rows", "aria-label": t("near-here") });
    const { width, height } = mapped, own = new Map(state.ratings), listed = new Set((answer?.films ?? []).map((film) => film.movie_id));
    const place = (n, scale) => [(mapped.x[n] - eye.x) * eye.zoom * scale, (mapped.y[n] - eye.y) * eye.zoom * scale];
    const clamp = () => { eye.zoom = Math.min(Math.max(eye.zoom, 1), 24); eye.x = Math.min(Math.max(eye.x, 0), width - width / eye.zoom); eye.y = Math.min(Math.max(eye.y, 0), height - height / eye.zoom); };
    const paint = () => {
      const shown = canvas.clientWidth || 600, ratio = devicePixelRatio || 1, scale = shown / width;
      canvas.width = shown * ratio;
      canvas.height = shown * height / width * ratio;
      const brush = canvas.getContext("2d"), ink = getComputedStyle(canvas).color, ground = getComputedStyle(canvas).backgroundColor;
      brush.scale(ratio, ratio);
      const size = Math.min(4 + eye.zoom * 0.6, 8), taken = [];
      for (let n = mapped.x.length - 1; n >= 0; n -= 1) {
        const [x, y] = place(n, scale);
        if (x < -9 || y < -9 || x > shown + 9 || y > shown) continue;
        brush.fillStyle = PALETTE[mapped.group[n] < 0 ? 7 : mapped.group[n]];
        brush.globalAlpha = 0.8;
        brush.beginPath();
        brush.arc(x, y, size / 1.6, 0, 7);
        brush.fill();
      }
      brush.globalAlpha = 1;
      brush.strokeStyle = brush.fillStyle = ink;
      brush.textBaseline = "middle";
      const spotted = mapped.movie_ids.indexOf(spot);
      const order = [...(spotted >= 0 ? [spotted] : []), ...mapped.movie_ids.keys()];
      for (const n of order) { // names appear as there is room; those with most ratings first
        const id = mapped.movie_ids[n], [x, y] = place(n, scale), mark = own.has(id) || listed.has(id) || n === spotted;
        if (x < 0 || y < 6 || x > shown || y > shown * height / width - 6) continue;
        if (own.has(id)) { brush.font = "15px system-ui, sans-serif"; brush.fillText("★", x - 7, y); }
        if (listed.has(id) || n === spotted) { brush.lineWidth = n === spotted ? 3 : 1.5; brush.beginPath(); brush.arc(x, y, n === spotted ? 9 : 6, 0, 7); brush.stroke(); }
        if (taken.length > 40) continue;
        const name = mapped.titles[n].length > 26 ? `${mapped.titles[n].slice(0, 25)}…` : mapped.titles[n];
        brush.font = `${n === spotted ? "700 14px" : mark ? "600 12px" : "12px"} system-ui, sans-serif`;
        const long = brush.measureText(name).width, left = x + 10 + long < shown ? x + 10 : x - 10 - long;
        if (left < 0 || taken.some(([a, b, c]) => Math.abs(b - y) < 18 && left < c + 8 && a < left + long + 8)) continue;
        taken.push([left, y, left + long]);
        brush.strokeStyle = ground;
        brush.lineWidth = 3;
        brush.strokeText(name, left, y);
        brush.strokeStyle = ink;
        brush.fillText(name, left, y);
      }
      const middle = [eye.x + width / eye.zoom / 2, eye.y + height / eye.zoom / 2];
      const at = spotted >= 0 ? [mapped.x[spotted], mapped.y[spotted]] : middle;
      const nearest = [...mapped.x.keys()].sort((a, b) => (mapped.x[a] - at[0]) ** 2 + (mapped.y[a] - at[1]) ** 2 - (mapped.x[b] - at[0]) ** 2 - (mapped.y[b] - at[1]) ** 2).slice(0, 8);
      near.replaceChildren(...nearest.map((n) => h("li", {}, h("button", { type: "button", class: "mr-chip", onclick: () => look(mapped.movie_ids[n]) }, mapped.titles[n]))));
    };
    const over = (event) => {
      const scale = canvas.clientWidth / width;
      let best = -1, least = 14 ** 2;
      for (let n = 0; n < mapped.x.length; n += 1) {
        const [x, y] = place(n, scale), away = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
        if (away < least) [best, least] = [n, away];
      }
      return best;
    };
    let held = null, moved = false;
    const zoom = (by, x, y) => { const scale = canvas.clientWidth / width, at = [eye.x + x / scale / eye.zoom, eye.y + y / scale / eye.zoom]; eye.zoom *= by; eye.zoom = Math.min(Math.max(eye.zoom, 1), 24); eye.x = at[0] - x / scale / eye.zoom; eye.y = at[1] - y / scale / eye.zoom; clamp(); paint(); };
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; moved = false; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (held) {
        const scale = canvas.clientWidth / width, by = [event.clientX - held[0], event.clientY - held[1]];
        if (Math.abs(by[0]) + Math.abs(by[1]) > 4) moved = true;
        if (!moved) return;
        eye.x -= by[0] / scale / eye.zoom; eye.y -= by[1] / scale / eye.zoom; held = [event.clientX, event.clientY]; clamp(); paint();
        return;
      }
      const n = over(event);
      tip.hidden = n < 0;
      if (n < 0) return;
      tip.textContent = mapped.titles[n];
      tip.style.setProperty("--x", `${Math.min(event.offsetX + 12, canvas.clientWidth - 160)}px`);
      tip.style.setProperty("--y", `${event.offsetY + 14}px`);
    });
    canvas.addEventListener("pointerup", (event) => { held = null; const n = over(event); if (!moved && n >= 0) look(mapped.movie_ids[n]); });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (step) { eye.x += step[0] * width / eye.zoom / 8; eye.y += step[1] * height / eye.zoom / 8; clamp(); paint(); }
      else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.5 : 1 / 1.5, canvas.clientWidth / 2, canvas.clientHeight / 2);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const fly = async (text) => {
      const got = text.trim() ? await ask("find", { text, k: 1 }) : { films: [] }, n = mapped.movie_ids.indexOf(got.films[0]?.movie_id);
      if (n < 0) return;
      spot = mapped.movie_ids[n];
      eye = { zoom: 6, x: mapped.x[n] - width / 12, y: mapped.y[n] - height / 12 };
      clamp();
      paint();
    };
    const input = h("input", { type: "search", class: "mr-input", placeholder: t("fly"), "aria-label": t("fly"), onchange: (event) => fly(event.target.value) });
    const button = (sign, by, label) => h("button", { type: "button", class: "mr-button", "aria-label": t(label), onclick: () => zoom(by, canvas.clientWidth / 2, canvas.clientHeight / 2) }, sign);
    if (spot !== null && eye.zoom === 1) { const n = mapped.movie_ids.indexOf(spot); if (n >= 0) { eye = { zoom: 5, x: mapped.x[n] - width / 10, y: mapped.y[n] - height / 10 }; clamp(); } }
    new ResizeObserver(paint).observe(canvas);
    return [h("div", { class: "mr-line mr-left" }, input, button("+", 1.5, "closer"), button("−", 1 / 1.5, "farther"), h("button", { type: "button", class: "mr-button", onclick: () => { eye = { x: 0, y: 0, zoom: 1 }; spot = null; paint(); } }, t("whole"))),
      h("div", { class: "mr-map" }, canvas, tip),
      h("ul", { class: "mr-legend", "aria-label": t("colours") }, h("li", {}, `★ ${t("map-yours")}`), h("li", {}, `○ ${t("map-listed")}`), [...mapped.groups.map(named), t("other")].map((name, n) => h("li", {}, h("i", { "--colour": PALETTE[n === mapped.groups.length ? 7 : n] }), name))),
      h("h3", {}, t("near-here")), near];
  }

  // --- from outside

  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || sheet.open || box.open || event.target.closest?.("input, select, textarea, canvas")) return;
    const film = queue[0];
    if (!film || !(transport.page || frame.contains(document.activeElement))) return;
    if (/^[1-9]$/.test(event.key) && about.stars.includes(Number(event.key))) give(film.movie_id, Number(event.key));
    else if (event.key === "0") unseen(film.movie_id);
    else if (event.key === "ArrowRight" && !event.target.closest?.("[role=radio]")) skip();
    else if (event.key === "u") undo();
    else return;
    event.preventDefault();
  };
  (transport.page ? document : frame).addEventListener("keydown", keys, { signal: live.signal });
  addEventListener("online", refresh, { signal: live.signal });
  frame.addEventListener("dragover", (event) => { event.preventDefault(); frame.classList.add("mr-drop"); });
  frame.addEventListener("dragleave", () => frame.classList.remove("mr-drop"));
  frame.addEventListener("drop", (event) => {
    event.preventDefault();
    frame.classList.remove("mr-drop");
    if (event.dataTransfer.files[0]) load(event.dataTransfer.files[0]);
  });
  refresh();
  show("rate");
  setTimeout(() => { if (!answer) draw(); }); // where the first answer came with the page, it is drawn by now
  return {
    set: (next) => { const view = state.view; state = { ...copy(EMPTY), lang: state.lang, theme: state.theme, ...next }; if (state.view !== view) answer = null; draw(); refresh(); },
    end: () => { live.abort(); asking?.abort(); for (const timer of [retry, gathering, passing]) clearTimeout(timer); },
  };
}

// --- in a notebook -------------------------------------------------------------------------------

export default {
  render({ model, el }) {
    const waiting = new Map();
    let last = 0;
    const received = (message) => {
      const entry = waiting.get(message.id);
      waiting.delete(message.id);
      if (!entry) return;
      if (message.error) entry.reject(Object.assign(new Error(message.error), { status: message.status })); else entry.resolve(message.answer);
    };
    const ask = (name, question) => new Promise((resolve, reject) => {
      waiting.set(last += 1, { resolve, reject });
      model.send({ id: last, name, question });
    });
    let own = false; // whether a change of the state comes from here
    const transport = {
      page: false, ask, picture: async (id) => (await ask("picture", { movie_id: id })).address,
      load: () => model.get("state"),
      save: (state) => { own = true; model.set("state", state); model.save_changes(); own = false; },
    };
    model.on("msg:custom", received);
    const view = mount(el, transport, model.get("words"));
    const changed = () => { if (!own) view.set(model.get("state")); };
    model.on("change:state", changed);
    return () => { model.off("msg:custom", received); model.off("change:state", changed); view.end(); };
  },
};
