"""What a provider is asked, what it answers, and which of its films is the one that is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from rapidfuzz import fuzz

from movierec.data.titles import YEARS_APART, plain_title, title_forms

LONGEST_TITLE, LONGEST_OVERVIEW = 200, 2_000  # characters that are kept
LIKENESS = 90.0  # of titles, 0 to 100, below which two films are not the same


class ProviderError(RuntimeError):
    """A provider of posters gave no answer that can be used.

    Of a kind: "refused": it does not accept the key, and will not later; "silent": it may answer
    later; "bad": it said something that is no answer, and would say it again.
    """

    def __init__(self, message: str, kind: Literal["refused", "silent", "bad"]) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Film:
    """A film as a provider is asked for it."""

    title: str  # as MovieLens writes it, such as "Matrix, The (1999)"
    year: int | None = None
    tmdb_id: int | None = None  # its number there, where the data set tells it


@dataclass(frozen=True)
class Details:
    """What a page may show of a film; texts are plain."""

    title: str | None  # in the language that was asked for, where the provider has one
    overview: str | None  # what it is about, in a few sentences
    poster: bytes | None  # a JPEG of at most 342 by 513 pixels, decoded and written anew here


NOTHING = Details(None, None, None)  # of a film that a provider does not have


def films_of(movies: pd.DataFrame) -> Iterator[tuple[int, Film]]:
    """Id and film of each row of a movies table."""
    for row in movies.itertuples():
        known: list[Any] = [getattr(row, name, None) for name in ("year", "tmdb_id")]
        yield int(row.movie_id), Film(row.title, *(None if pd.isna(n) else int(n) for n in known))


def best_match(film: Film, names: list[tuple[list[str], str]]) -> int | None:
    """Which of a provider's films is the one that is meant.

    The same title, in a year that differs by one at most; or in the same year a title that differs
    by a slip, or is a part of the other ("The Empire Strikes Back"), but not by a number, as a
    sequel's does. Without a year only the same title will do. No picture is better than a wrong
    one.

    Returns:
        The place among `names`, each some titles and a year as text, of the film that is most
        alike, of equals the nearest in years, then the first; None if there is none.
    """
    forms = [(plain_title(form), _parts(form)) for form in title_forms(film.title)]
    ranks: list[tuple[float, int, int]] = []
    for place, (titles, text) in enumerate(names):
        year = int(text) if re.fullmatch("[0-9]{4}", text) else None
        apart = 0 if film.year is None else 9_999 if year is None else abs(film.year - year)
        same_year = film.year is not None and not apart
        for title in titles if apart <= YEARS_APART else ():
            other, parts = plain_title(title[:LONGEST_TITLE]), _parts(title[:LONGEST_TITLE])
            for form, own_parts in forms if other else ():
                if form == other:
                    alike = 100.0
                elif not same_year or _numbers(form) != _numbers(other):
                    continue
                elif form in parts or other in own_parts:
                    alike = LIKENESS + fuzz.ratio(form, other) / 100
                else:
                    alike = fuzz.ratio(form, other)
                ranks.append((alike, -apart, -place))
    best = max(ranks, default=(0.0, 0, 0))
    return -best[2] if best[0] >= LIKENESS else None


def _parts(title: str) -> list[str]:
    """What stands between a title's colons and dashes, if there are any."""
    return [plain_title(part) for part in re.split(r":|\s-\s", title)[:10]]


def _numbers(plain: str) -> list[str]:
    """The numbers in a title without the episodes of a series, which not everybody counts."""
    plain = re.sub(r"\bepisode \w+", "", plain)
    return sorted(re.findall(r"\b(?:[0-9]+|i{2,3}|i?v|vi{0,3}|i?x)\b", plain))
