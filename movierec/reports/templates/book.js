// The side of a page: where one is, and a search over the whole report. Nothing is loaded from
// elsewhere; `search.js` of the report calls `movierecSections` with what can be found.
"use strict";
const links = new Map(
  [...document.querySelectorAll("aside a[href^='#']")].map((a) => [decodeURIComponent(a.hash.slice(1)), a]),
);
const heads = [...document.querySelectorAll("main h2[id]")];

function mark() {
  const above = heads.filter((head) => head.getBoundingClientRect().top < 120);
  const here = links.get((above.at(-1) || heads[0])?.id);
  for (const a of links.values()) a.removeAttribute("aria-current");
  here?.setAttribute("aria-current", "location"); // an empty value would mean: not here
  here?.scrollIntoView({ block: "nearest" });
}
addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
mark();

const box = document.querySelector("aside input");
const found = document.querySelector("aside .found");

function movierecSections(sections) {
  box.hidden = false;
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter((word) => word.length > 1);
    const hits = sections
      .map((section) => ({ ...section, in: `${section.heading} ${section.text}`.toLowerCase() }))
      .filter((section) => words.length && words.every((word) => section.in.includes(word)))
      .map((section) => ({
        ...section,
        worth: words.reduce(
          (sum, word) => sum + section.in.split(word).length - 1 + 20 * section.heading.toLowerCase().includes(word), 0),
      }))
      .sort((a, b) => b.worth - a.worth);
    found.replaceChildren(...hits.slice(0, 12).map((hit) => {
      const a = document.createElement("a");
      a.href = `${hit.page}#${encodeURIComponent(hit.place)}`;
      const at = Math.max(hit.text.toLowerCase().indexOf(words[0]) - 40, 0);
      const [where, said] = [document.createElement("b"), document.createElement("span")];
      where.textContent = hit.heading;
      said.textContent = `${hit.title} · …${hit.text.slice(at, at + 110)}…`;
      a.append(where, said);
      return a;
    }));
    if (words.length && !hits.length) found.textContent = "Nothing in this report.";
  });
}

// A column of words stands on the left, one of numbers on the right: one is of words if it names the
// rows, or if a cell of it holds a word or a list. Counted from the right: names may span several.
for (const table of document.querySelectorAll(".output_area table")) {
  const cells = [...table.rows].flatMap((row) => [...row.cells].map((cell, i) => [cell, i - row.cells.length]));
  const ofWords = cells.filter(([cell]) => cell.closest("tbody") &&
    (cell.tagName === "TH" || /(?<!\p{L})(?!(nan|inf)(?!\p{L}))\p{L}{2}|[(\[]/iu.test(cell.textContent)));
  const columns = new Set(ofWords.map(([, column]) => column));
  for (const [cell, column] of cells) cell.classList.toggle("words", columns.has(column));
}

const fold = document.querySelector("button.fold");
const codes = [...document.querySelectorAll("details.code")];
fold?.addEventListener("click", () => {
  const open = codes.some((code) => !code.open);
  for (const code of codes) code.open = open;
  fold.textContent = open ? "Fold all code" : "Show all code";
});
addEventListener("beforeprint", () => document.querySelectorAll("details.reveal").forEach((d) => (d.open = true)));
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|TEXTAREA/.test(document.activeElement.tagName)) {
    event.preventDefault();
    box.focus();
  }
});
