"""Whether similar films are those of the same series, beside the full weights of EASE.

The series are found in the titles by a rule, so that nobody chooses them: what is left of a title
without its year, its article, all from the first colon or bracket on and a number at the end is its
stem. Films of one stem are a series if a number or a colon was cut off from one of them; remakes
are none. A few have only a name in common, and series without a common name are not found. Since
the measure is made of titles, `similar` is measured without their words, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.linalg
import scipy.sparse as sp

from benchmarks.measure import Row
from movierec.data.features import IdVocabulary
from movierec.recommend.recommender import Recommender
from movierec.recommend.resemblance import Resemblance

NEAREST = 10
EASE_RIDGE = 500.0  # of the baseline of that name
BEHIND = re.compile(r"\s*\(.*$|\s*:.*$")  # a title from its first bracket or colon on
ARTICLE = re.compile(r", (the|an?)$", re.IGNORECASE)
NUMBER = re.compile(r",?\s+(part\s+)?('?\d[\d/ ]*|i[ivx]+|[vx][ivx]*|part\s+\w+)$", re.IGNORECASE)
Likeness = Callable[[int], npt.NDArray[np.floating]]  # film's row to (movie rows,)


def series(titles: pd.Series) -> dict[str, list[int]]:
    """The films of each series by its stem, ids ascending.

    Args:
        titles: by `movie_id`, with the year in brackets at the end.
    """
    found: dict[str, list[int]] = {}
    numbered: set[str] = set()
    for movie_id, title in titles.sort_index().items():
        whole = re.sub(r"\s*\(\d{4}\)$", "", title.strip())
        head = ARTICLE.sub("", BEHIND.sub("", whole))
        stem = NUMBER.sub("", head)
        if not re.search(r"[^\W\d]", stem):  # "2001: A Space Odyssey", "10"
            continue
        found.setdefault(stem.casefold(), []).append(int(movie_id))
        if stem != head or ":" in whole:
            numbered.add(stem.casefold())
    return {stem: films for stem, films in found.items() if len(films) > 1 and stem in numbered}


def compared(rec: Recommender) -> dict[str, list[Row]]:
    """The share of the other films of a series among a film's ten nearest, by each method.

    EASE's weights are those of what was rated, liked or not, and speak for the film asked about: so
    it finds most.

    Args:
        rec: one whose training has seen all ratings of its tables.

    Returns:
        For each method the mean over the films of all series, `found`, 0 to 1.
    """
    movies, ratings = rec.features.movies, rec.tables.ratings
    groups = series(rec.tables.movies.set_index("movie_id")["title"])
    place = rec.features.users.encode(ratings["user_id"]), movies.encode(ratings["movie_id"])
    ones = np.ones(len(ratings), np.float32)
    rated = sp.csr_array((ones, place), shape=(len(rec.features.users), len(movies)))
    square = (rated.T @ rated).toarray()
    square.flat[:: len(movies) + 1] += EASE_RIDGE
    inverse = scipy.linalg.inv(square, overwrite_a=True, assume_a="pos")
    wordless = Resemblance(rec.features, rec.model.watching)
    wordless.titles = 0 * wordless.titles
    methods: dict[str, Likeness] = {
        "similar": rec.likeness,
        "similar, without titles": wordless,
        "EASE": lambda film: -inverse[film],
    }
    return {name: [_row(groups, movies, likeness)] for name, likeness in methods.items()}


def _row(groups: dict[str, list[int]], movies: IdVocabulary, likeness: Likeness) -> Row:
    shares = []
    for films in map(movies.encode, groups.values()):
        for film in films:
            alike = np.full(len(movies), -np.inf)
            alike[movies.used] = likeness(film)[movies.used]
            alike[film] = -np.inf
            nearest = np.argpartition(-alike, NEAREST)[:NEAREST]
            shares.append(np.isin(films, nearest).sum() / (len(films) - 1))
    return {"found": float(np.mean(shares))}
