"""Invent a catalogue: circles of films that belong together, with years, genres and titles.

Titles are put together from the lists of `words.toml`. A film's words tell its mood and its era, so
that a network that reads titles has something to learn.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from movierec.data.tables import GENRES_1M

T = TypeVar("T")

_WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
MOODS = _WORDS["moods"]  # by name: the genres that have it, adjectives and nouns
ERAS = tuple(map(int, _WORDS["eras"]))  # first year of each era
_ERA_WORDS = tuple(_WORDS["eras"].values())
_GENRES = _WORDS["genres"]
_PARTS = _WORDS["parts"]
_NUMERALS = {50: "L", 40: "XL", 10: "X", 9: "IX", 5: "V", 4: "IV", 1: "I"}


def draw_circle(rng: np.random.Generator) -> tuple[list[str], str, int]:
    """Draw the genres (the first is the main one), the mood and the usual year of a circle."""
    shares = np.array([share for share, _, _ in _GENRES.values()], dtype=float)
    main = list(_GENRES)[rng.choice(len(_GENRES), p=shares / shares.sum())]
    _, year, companions = _GENRES[main]
    wanted = rng.choice(3, p=(0.4, 0.4, 0.2))
    others = rng.permutation(companions.split())[:wanted].tolist()
    mood = next(name for name, of in MOODS.items() if main in of["genres"].split())
    return [main, *others], mood, int(year + rng.normal(0, 8))


def draw_films(
    circle: np.ndarray, kinds: list[tuple[list[str], str, int]], rng: np.random.Generator
) -> tuple[list[int], list[list[str]], list[str]]:
    """Write the films: years, genres (alphabetical) and titles without the year, all distinct."""
    years: list[int] = []
    genres: list[list[str]] = []
    stems: list[tuple[str, str]] = []  # ("Silent Harbour", ", The")
    titles: list[str] = []
    latest: dict[tuple[str, str], tuple[int, int]] = {}  # stem: its last part, and when that was
    of_circle: dict[int, list[int]] = {}
    for film, own in enumerate(circle.tolist()):
        (main, *others), mood, usual_year = kinds[own]
        earlier = of_circle.setdefault(own, [])
        if earlier and rng.random() < 0.07:  # a sequel
            first = _pick(earlier, rng)
            stem, own_genres = stems[first], genres[first]
        else:
            # 2000 is the last year: later ones are mirrored, so that many films are recent.
            year = max(1919, 2000 - abs(2000 - round(usual_year + 5 * rng.standard_normal())))
            kept = [name for name in others if rng.random() < 0.75]
            extra = [_pick(GENRES_1M, rng)] if rng.random() < 0.15 else []
            own_genres = sorted({main, *kept, *extra}, key=GENRES_1M.index)
            # A title that is still taken after 20 draws goes on as a series.
            drawn = (_new_title(mood, year, rng) for _ in range(20))
            stem = next((new for new in drawn if new not in latest), None) or _pick(stems, rng)
        part, year_before = latest.get(stem, (0, 0))
        if part:
            year = min(2000, year_before + 1 + int(4 * rng.random()))
        latest[stem] = (part + 1, year)
        years.append(year)
        genres.append(own_genres)
        stems.append(stem)
        titles.append(f"{stem[0]}{' ' + _roman(part + 1) if part else ''}{stem[1]}")
        earlier.append(film)
    return years, genres, titles


def _new_title(mood: str, year: int, rng: np.random.Generator) -> tuple[str, str]:
    """Fill a template: the title, and the article that goes after it, if any."""

    def fill(slot: re.Match[str]) -> str:
        if slot[0] in ("ADJ", "NOUN"):
            own = mood if rng.random() < 0.85 else _pick(list(MOODS), rng)
            return _pick(MOODS[own]["adjectives" if slot[0] == "ADJ" else "nouns"].split(), rng)
        if slot[0] == "ERA":
            return _pick(_ERA_WORDS[bisect(ERAS, year) - 1].split(), rng)
        if slot[0] == "PLACE":
            ends = _PARTS["place_starts"], _PARTS["place_ends"]
            return "".join(_pick(end.split(), rng) for end in ends)
        return _pick(_PARTS[slot[0]].split(), rng)

    template = _pick(_WORDS["titles"]["templates"], rng)
    filled = re.sub("ADJ|NOUN|ERA|PLACE|NAME|VERB|DEED", fill, template)
    stem, comma, article = filled.rpartition(", ")
    return (stem, f", {article}") if comma else (filled, "")


def _pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """Draw one of the options; many times faster than `rng.choice`."""
    return options[int(rng.random() * len(options))]


def _roman(number: int) -> str:  # below 90
    numeral = ""
    for value, letters in _NUMERALS.items():
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


def mood_of_words() -> dict[str, int]:
    """Return the words that carry taste, each with the row of its mood, or -1 without one."""
    free = " ".join([*_ERA_WORDS, *(_PARTS[part] for part in ("NAME", "VERB", "DEED"))]).split()
    moods = {
        word: row
        for row, of in enumerate(MOODS.values())
        for word in f"{of['adjectives']} {of['nouns']}".split()
    }
    return dict.fromkeys(free, -1) | moods
