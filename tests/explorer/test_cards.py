"""Films and reasons as HTML: escaped, readable without a picture, right in their numbers."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from movierec.explorer import cards
from movierec.posters.provider import Details

GENRES = ["", "Comedy", "Drama", "War"]
HOSTILE = '"><script>alert(1)</script>'


def film(**changes: Any) -> SimpleNamespace:
    facts = {"movie_id": 1, "title": "Matrix, The (1999)", "year": 1999, "genres": "Drama|War"}
    return SimpleNamespace(**(facts | changes))


def texts(html: str) -> list[str]:
    return [text for text in re.split(r"<[^>]*>", html) if text]


def luminance(colour: str) -> float:
    """Relative luminance of an `hsl(h s% l%)` colour, after WCAG 2.2."""
    import colorsys

    hue, saturation, lightness = map(float, re.findall(r"[\d.]+", colour))
    channels = colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_card_says_title_year_and_genres_and_draws_them():
    html = cards.film_card(film(), GENRES, stars=4.25, why="Because.")
    assert texts(html)[:2] == ["The Matrix", "1999"]  # the drawing, hidden from screen readers
    assert texts(html)[2:] == ["The Matrix", "1999 · Drama, War", "★ 4.2 predicted", "Because."]
    assert 'aria-hidden="true"' in html
    assert cards.genre_colour(2) in html
    assert cards.genre_colour(3) in html


@pytest.mark.parametrize("changes", [{"year": pd.NA}, {"genres": "(no genres listed)"}])
def test_what_is_unknown_is_left_out(changes: dict):
    html = cards.film_card(film(**changes), GENRES)
    assert "NA" not in html
    assert "(no" not in html
    assert "The Matrix" in html


def test_a_film_of_which_nothing_is_known_says_so():
    html = cards.film_card(film(year=pd.NA, genres=""), GENRES)
    assert "year and genres unknown" in html


def test_the_title_in_another_language_stands_above_the_films_own():
    details = Details("黑客帝国", "A hacker.", None, "TMDB")
    said = texts(cards.film_card(film(), GENRES, details, plot=True, translated=True))
    assert said[2:4] == ["黑客帝国", "The Matrix"]
    assert "A hacker. " in said
    assert "(TMDB)" in said
    plain = texts(cards.film_card(film(), GENRES, details))  # in the data's own language
    assert "The Matrix" in plain
    assert not {"A hacker. ", "黑客帝国"} & set(plain)


def test_everything_is_escaped():
    details = Details(HOSTILE, HOSTILE, None, HOSTILE)
    shown = [
        cards.film_card(
            film(title=HOSTILE, genres=HOSTILE),
            ["", HOSTILE],
            details,
            why=HOSTILE,
            plot=True,
            translated=True,
        ),
        cards.film_card(film(title=HOSTILE), GENRES),
        cards.together({"raters": 2, "expected": 1.0, "genres": [HOSTILE], "words": []}),
        cards.table(pd.DataFrame({HOSTILE: [HOSTILE]}), HOSTILE),
        cards.note(HOSTILE),
        cards.static_grid([], HOSTILE),
        cards.reasons_chart(reasons([(1, HOSTILE, 4, 0.5)]), 3.5),
    ]
    # a sentence is escaped where it is shown
    shown[2] = cards.film_card(film(), GENRES, why=shown[2])
    assert all("<script" not in html and "&lt;script&gt;" in html for html in shown)


def test_white_text_can_be_read_on_every_genre():
    for number in range(60):
        assert 1.05 / (luminance(cards.genre_colour(number)) + 0.05) > 4.5


def test_neighbouring_genres_have_colours_of_their_own():
    colours = [cards.genre_colour(number) for number in range(20)]
    assert len(set(colours)) == 20


# --- reasons -------------------------------------------------------------------------------------


def reasons(films: list[tuple], base: float = 3.0, watching: bool = False) -> pd.DataFrame:
    rows = [(pd.NA, "what is there without ratings", pd.NA, base), *films]
    frame = pd.DataFrame(rows, columns=["movie_id", "title", "rating", "stars"])
    frame["rating"] = frame["rating"].astype("Float64")
    return frame.assign(watching=[0.0, 3.0, 1.0][: len(frame)]) if watching else frame


def rows_of(html: str) -> list[list[str]]:
    return [texts(row) for row in re.findall("<tr>(.*?)</tr>", html)[1:]]


def test_the_chart_is_a_table_with_signs_and_bars_as_long_as_the_numbers():
    html = cards.reasons_chart(
        reasons([(1, "Up (2009)", 5, 0.8), (2, "Heat (1995)", 2, -0.4)]), 3.4
    )
    assert rows_of(html) == [["Up", "★ 5", "+0.80"], ["Heat", "★ 2", "-0.40"]]
    assert re.findall(r"width: ([\d.]+)%", html) == ["50.0", "25.0"]
    assert "3.40 stars predicted" in html
    assert "cut" not in html
    assert "right: 50%" in html  # what speaks against goes to the other side


def test_a_prediction_beyond_the_scale_says_that_it_was_cut():
    html = cards.reasons_chart(reasons([(1, "Up (2009)", 5, 2.6)]), 5.0)
    assert "5.00 stars predicted (5.60, cut to the stars of the data)" in html


def test_many_films_are_summed_so_that_the_chart_adds_up():
    films = [(n, f"Film {n} (1990)", 4, 0.1 * (n + 1)) for n in range(10)]
    shown = rows_of(cards.reasons_chart(reasons(films), 5.0))
    assert len(shown) == cards.REASONS + 1
    assert shown[-1] == ["3 other films together", "+0.60"]
    assert sum(float(row[-1]) for row in shown) == pytest.approx(5.5)


def test_what_makes_a_film_likely_to_be_watched_is_told_in_percent():
    films = [(1, "Up (2009)", 5, 0.8), (2, "Heat (1995)", 2, -0.4)]
    html = cards.reasons_chart(reasons(films, watching=True), 3.4, "they")
    assert rows_of(html)[3:] == [["Up", "★ 5", "75"], ["Heat", "★ 2", "25"]]
    assert "they would watch" in html
    assert "their" in html


def test_what_films_share_is_a_sentence():
    shared = {"raters": 1200, "expected": 400.0, "genres": ["Drama"], "words": ["Star", "Wars"]}
    assert cards.together(shared) == (
        "1,200 people rated both, 3.0 times what chance gives; both Drama; "
        "both titles have “Star Wars”"
    )
    assert cards.together({"raters": 0, "expected": 0.0, "genres": [], "words": []}) == ""
    assert "titles" not in cards.together(shared | {"words": ["The", "of"]})
