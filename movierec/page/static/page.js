// The explorer as a page: questions go over HTTP, the state lies in this browser, and a film has its own
// address (`#film=260`).
import { mount } from "./explorer.js";

const KEY = "movierec.explorer.1";
const api = (name) => new URL(`../api/v1/${name}`, import.meta.url);

async function ask(name, question, signal) {
  const answer = await fetch(api(name), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question), signal })
    .catch((error) => { throw error.name === "AbortError" ? error : Object.assign(error, { status: 0 }); });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(told.error ?? String(answer.status)), { status: answer.status });
  return told;
}

function kept() { // what another version, or somebody, has put there may be anything
  try {
    const { data, state } = JSON.parse(localStorage.getItem(KEY));
    return data === about.data && Array.isArray(state.ratings) ? state : {};
  } catch {
    return {};
  }
}

const shown = () => {
  const film = /^#film=(\d+)$/.exec(location.hash);
  return film ? { film: Number(film[1]) } : { film: null };
};

const { about, words, asked, first } = JSON.parse(document.getElementById("start").textContent); // put there by the server
const isFirst = (question) => Object.entries(question).every(([key, value]) => JSON.stringify(value) === JSON.stringify(asked[key]));
let last = null;
const transport = {
  page: true, about,
  ask: async (name, question, signal) => (name === "for-new-user" && isFirst(question) ? first : ask(name, question, signal)),
  picture: (id) => Promise.resolve(api(`posters/${id}.jpg`).href),
  load: () => (last = { ...kept(), ...shown() }),
  save: (state) => {
    last = state;
    const hash = state.film === null ? "" : `#film=${state.film}`;
    if (hash !== location.hash) history.pushState(null, "", hash || location.pathname);
    try {
      localStorage.setItem(KEY, JSON.stringify({ data: about.data, state: { ...state, film: null } }));
    } catch { /* no room, or not allowed: it is kept as long as the page is open */ }
  },
  forget: () => localStorage.removeItem(KEY),
};
const view = mount(document.getElementById("explorer"), transport, words);
addEventListener("popstate", () => view.set({ ...last, ...shown() }));
