"""What the explorer shows as HTML without script, for executed notebooks and their pages."""

from __future__ import annotations

from html import escape
from typing import Any

from movierec.explorer import questions as q
from movierec.explorer.service import Service

PROBABLE = 1.28  # spreads to each side that hold four of five, as in explorer.js
INKS = ("#1b6ca8", "#e07a10", "#2a8a43", "#c0397b", "#7a58c9", "#8a6d1d", "#19a3a3", "#8c8c94")
STYLE = """<style>
.mrs ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:12px;padding:0}
.mrs li{list-style:none;border-top:6px solid var(--hue,#888);border-radius:6px;padding:8px 10px;
background:color-mix(in srgb,currentColor 6%,transparent)}
.mrs p{margin:2px 0;font-size:12px}.mrs table{font-size:13px}.mrs svg{width:100%;max-width:900px}
</style>"""


def page_of(service: Service, shown: dict[str, Any]) -> str:
    """Answers as HTML.

    Args:
        service: for the colours of genres.
        shown: answers by the names of their questions.
    """
    parts = []
    for name, said in shown.items():
        match said:
            case q.ForSomeone():
                share = f"{said.known:.0%} of what there is to know is known."
                asked = _grid(service, "Have you seen these?", said.ask) if said.ask else ""
                parts += [asked, _grid(service, "Films for you", said.films, share)]
            case q.ForPerson():
                facts = [f"person {said.who.user_id}", said.who.age, said.who.occupation]
                best = ", ".join(f"{film.title} ★ {film.stars:g}" for film in said.best[:6])
                words = f"{', '.join(filter(None, facts))}; {said.rated:,} films rated: {best}."
                parts.append(_grid(service, "Films for them", said.films, words))
            case q.Explained():
                parts.append(_explained(said))
            case q.MapOfFilms():
                parts.append(_map(said))
            case q.Films():
                headings = {"similar": "Films like it", "for-group": "Films for all of you"}
                parts.append(_grid(service, headings.get(name, "Films"), said.films))
    return f'{STYLE}<div class="mrs">{"".join(parts)}</div>'


def _grid(service: Service, heading: str, films: list[q.Film], words: str = "") -> str:
    items = "".join(_card(service, film) for film in films) or "<li>no film meets all of this</li>"
    said = f"<p>{escape(words)}</p>" if words else ""
    return f"<h4>{escape(heading)}</h4>{said}<ul>{items}</ul>"


def _card(service: Service, film: q.Film) -> str:
    genres = list(service.rec.features.genres)
    place = genres.index(film.genres[0]) if film.genres else 0
    facts = " · ".join(filter(None, [str(film.year or ""), ", ".join(film.genres)]))
    lines = [f"<b>{escape(film.title)}</b>", f"<p>{escape(facts)}</p>"]
    if film.each is not None:
        lines.append(f"<p>★ {' · '.join(f'{stars:.1f}' for stars in film.each)}</p>")
    elif film.predicted is not None:
        reach = PROBABLE * (film.spread or 0)
        about = f" ± {reach:.1f}" if film.spread is not None else ""
        lines.append(f"<p>★ {film.predicted:.1f}{about} predicted</p>")
    if film.why and film.why.speaks:
        lines.append(f"<p>because of {escape(' and '.join(g.title for g in film.why.speaks))}</p>")
    hue = round(place * 137.508 + 200) % 360  # as in explorer.js
    return f'<li style="--hue: hsl({hue} 50% 45%)">{"".join(lines)}</li>'


def _explained(said: q.Explained) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.title)}</td><td>★ {one.stars:g}</td><td>{one.adds:+.2f}</td></tr>"
        for one in sorted(said.reasons, key=lambda one: -abs(one.adds))[:7]
    )
    return (
        f"<h4>{escape(said.film.title)}</h4><p>★ {said.film.predicted:.2f} predicted; it starts at "
        f"{said.start:.2f}, and each rated film moves it:</p><table>{rows}</table>"
    )


def _map(said: q.MapOfFilms) -> str:
    layers = []
    for place in range(-1, len(said.groups)):
        points = zip(said.x, said.y, said.group, strict=True)
        dots = "".join(f"M{x} {y}h0" for x, y, group in points if group == place)
        if dots:
            ink = INKS[place]
            layers.append(
                f'<path d="{dots}" stroke="{ink}" stroke-width="6" '
                'stroke-linecap="round" stroke-opacity=".75"/>'
            )
    names = "".join(
        f'<text x="{x + 8}" y="{y + 4}" font-size="14" fill="currentColor">{escape(title)}</text>'
        for x, y, title in list(zip(said.x, said.y, said.titles, strict=True))[:12]
    )
    genres = ", ".join(escape(name) for name in said.groups)
    return (
        f'<svg viewBox="0 0 {said.width} {said.height}" role="img" aria-label="Map of '
        f'{len(said.x):,} films; those with most ratings are named">{"".join(layers)}{names}</svg>'
        f"<p>Colours: {genres}, others.</p>"
    )
