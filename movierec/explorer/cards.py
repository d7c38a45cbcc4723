"""Films, reasons and people as HTML, for the explorer and for pages without a kernel.

Every text that comes from data goes through `escape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from movierec.data.titles import spoken_title
from movierec.posters.provider import Details

STYLE = Path(__file__).with_name("components.css")
REASONS = 7  # films that a chart of reasons names
GREY = 0  # genre number of a film without genres
_HEADINGS = {
    "movie_id": "id",
    "user_id": "person",
    "title": "film",
    "rating": "stars given",
    "predicted": "predicted stars",
    "occupation": "job",
}


def genre_colour(number: int, lightness: int = 31) -> str:
    """A genre's colour; white text on the default lightness can be read.

    Args:
        number: of the genre among the data's, from 1; 0: none.
        lightness: percent.
    """
    if number == GREY:
        return f"hsl(220 8% {lightness}%)"
    # golden angles: neighbours in the list of genres are far apart on the wheel
    return f"hsl({round(number * 137.508 + 180) % 360} {52 if number % 2 else 44}% {lightness}%)"


def film_card(
    film: Any,
    genres: Sequence[str],
    details: Details | None = None,
    stars: float | None = None,
    given: float | None = None,
    why: str = "",
    plot: bool = False,
    translated: bool = False,
) -> str:
    """A film as the body of a card.

    Args:
        film: with `title`, `year` and `genres` as in the movies table.
        genres: the data's genres by number, the first one the padding; they give the colours.
        details: what a provider says, where it has said something.
        stars: predicted.
        given: stars that the person has given.
        why: a sentence.
        plot: whether what the film is about is told, where the details know it.
        translated: whether titles come in another language; there is then room for both, so that
            nothing moves when one comes. In the data's own language its titles stay.
    """
    own = spoken_title(film.title)
    title = (translated and details and details.title) or own
    year = "" if pd.isna(film.year) else str(int(film.year))
    names = [name for name in str(film.genres).split("|") if name in genres[1:]]
    numbers = [genres.index(name) for name in names] or [GREY]
    first, second = (genre_colour(n) for n in (numbers[0], numbers[min(1, len(numbers) - 1)]))
    lines = [f'<h3 class="mr-name">{escape(title)}</h3>']
    if translated:
        lines.append(f'<p class="mr-meta mr-own">{escape(own) if title != own else "&nbsp;"}</p>')
    facts = " · ".join(filter(None, [year, ", ".join(names)]))
    lines.append(f'<p class="mr-meta">{escape(facts) or "year and genres unknown"}</p>')
    if given is not None:
        lines.append(f'<p class="mr-rated mr-given">★ {given:g} given</p>')
    if stars is not None:
        lines.append(f'<p class="mr-rated">★ {stars:.1f} predicted</p>')
    if why:
        lines.append(f'<p class="mr-why">{escape(why)}</p>')
    if plot and details is not None and details.overview:
        said = f"{escape(details.overview)} <small>({escape(details.source)})</small>"
        lines.append(f'<p class="mr-plot">{said}</p>')
    return (
        f'<div class="mr-poster" style="--a: {first}; --b: {second}" aria-hidden="true">'
        f'<span class="mr-poster-title">{escape(title)}</span>'
        f'<span class="mr-poster-year">{escape(year)}</span></div>'
        f'<div class="mr-text">{"".join(lines)}</div>'
    )


def styled(html: str) -> str:
    """Markup with its style, for a page without a kernel."""
    return f'<style>{STYLE.read_text("utf-8")}</style><div class="mr-root mr-map">{html}</div>'


def static_grid(cards: Sequence[dict[str, Any]], label: str) -> str:
    """Cards as they are seen without a kernel; see `styled`."""
    items = "".join(
        f'<li class="mr-card"><div class="mr-body">{card["html"]}</div></li>' for card in cards
    )
    heading = f'<h2 class="mr-heading">{escape(label)}</h2>' if label else ""
    return f'{heading}<ul class="mr-grid">{items}</ul>'


def reasons_chart(reasons: pd.DataFrame, predicted: float, who: str = "you") -> str:
    """Reasons as small charts that are tables, so that they can be read out too.

    Args:
        reasons: from `Recommender.explain`.
        predicted: the predicted stars, clipped.
        who: "you" or "they".
    """
    own = "your" if who == "you" else "their"
    films = reasons.dropna(subset="movie_id")
    rest = reasons[reasons["movie_id"].isna()]
    largest = films.reindex(films["stars"].abs().sort_values(ascending=False, kind="stable").index)
    rows = [
        (spoken_title(film.title), film.rating, film.stars)
        for film in largest.head(REASONS).itertuples()
    ]
    if len(largest) > REASONS:
        others = largest.iloc[REASONS:]
        rows.append((f"{len(others)} other films together", np.nan, others["stars"].sum()))
    start = [
        (f"before any of {own} ratings" if n == 0 else row.title, np.nan, row.stars)
        for n, row in enumerate(rest.itertuples())
    ]
    total = start[0][2] + sum(row[2] for row in [*start[1:], *rows])
    said = f"{predicted:.2f} stars predicted"
    if abs(total - predicted) > 0.005:  # more than the scale has, or less
        said += f" ({total:.2f}, cut to the stars of the data)"
    parts = [
        f"<p>{escape(said)}: it starts at {start[0][2]:.2f} before any of {own} ratings, and each "
        f"film that {who} rated moves it.</p>",
        _bars(f"What each of {own} films does to the stars", own, [*start[1:], *rows], signed=True),
    ]
    if "watching" in films and films["watching"].abs().sum() > 0:
        share = 100 * films["watching"] / films["watching"].abs().sum()
        likely = films.assign(share=share).sort_values("share", ascending=False, kind="stable")
        likely = likely[likely["share"] > 0].head(REASONS)
        if len(likely):
            rows = [
                (spoken_title(film.title), film.rating, film.share) for film in likely.itertuples()
            ]
            parts.append(
                _bars(
                    f"What makes it a film that {who} would watch (percent)",
                    own,
                    rows,
                    signed=False,
                )
            )
    return "".join(parts)


def _bars(caption: str, own: str, rows: list[tuple[str, float, float]], signed: bool) -> str:
    """A table with a bar in each row.

    Args:
        caption: what the bars are.
        own: whose stars.
        rows: name, stars given (NaN: none), length.
        signed: whether lengths may be negative; bars then start in the middle.
    """
    longest = max((abs(length) for _, _, length in rows), default=0) or 1
    lines = []
    for name, given, length in rows:
        width = (50 if signed else 100) * abs(length) / longest
        side = "left" if length >= 0 else "right"
        kind = "mr-plus" if length >= 0 else "mr-minus"
        bar = f'<i class="{kind}" style="{side}: {50 * signed}%; width: {width:.1f}%"></i>'
        stars = "" if pd.isna(given) else f"★ {given:g}"
        number = f"{length:+.2f}" if signed else f"{length:.0f}"
        lines.append(
            f'<tr><th scope="row">{escape(name)}</th><td class="mr-number">{stars}</td>'
            f'<td class="mr-bar-cell"><span class="mr-bar{" mr-both" * signed}" aria-hidden="true">'
            f'{bar}</span></td><td class="mr-number">{number}</td></tr>'
        )
    unit = "adds, in stars" if signed else "%"
    return (
        f'<table class="mr-chart"><caption>{escape(caption)}</caption><thead><tr>'
        f'<th scope="col">film</th><th scope="col" class="mr-number">{own} stars</th>'
        f'<td></td><th scope="col" class="mr-number">{unit}</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def together(shared: dict[str, Any]) -> str:
    """What `Recommender.shared` found, as a sentence."""
    parts = []
    if shared["raters"] and shared["expected"]:
        times = shared["raters"] / shared["expected"]
        parts.append(f"{shared['raters']:,} people rated both, {times:.1f} times what chance gives")
    if shared["genres"]:
        parts.append(f"both {', '.join(shared['genres'])}")
    if words := [word for word in shared["words"] if len(word) > 3]:  # and not "The"
        parts.append(f"both titles have “{' '.join(words)}”")
    return "; ".join(parts)


def table(frame: pd.DataFrame, caption: str) -> str:
    """A frame as an HTML table; `movie_id` and `score` are left out."""
    shown = [name for name in frame.columns if name not in ("movie_id", "score")]
    numeric = {name for name in shown if pd.api.types.is_float_dtype(frame[name])}

    def cell(tag: str, name: str, text: str) -> str:
        kind = ' class="mr-number"' if name in numeric else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", name, _HEADINGS.get(name, name)) for name in shown)
    rows = "".join(
        "<tr>" + "".join(cell("td", name, _text(name, row[name])) for name in shown) + "</tr>"
        for row in frame.to_dict("records")
    )
    return (
        f'<div class="mr-scroll"><table class="mr-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _text(name: str, value: Any) -> str:
    """A cell's words."""
    if pd.isna(value):
        return ""
    if name == "title":
        return spoken_title(value)
    if name == "genres":
        return str(value).replace("|", ", ")
    return (
        f"{value:.2f}"
        if name in ("predicted", "stars")
        else f"{value:g}"
        if name == "rating"
        else str(value)
    )


def note(text: str) -> str:
    """A sentence to the visitor."""
    return f'<p class="mr-html" role="status">{escape(text)}</p>'
