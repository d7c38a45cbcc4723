"""Titles as they are compared, against the formula written out film by film."""

from __future__ import annotations

import math

import numpy as np
import pytest

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.recommend.resemblance import title_rows


@pytest.mark.parametrize(
    "titles",
    [
        ["Red Hill (1950)", "Red Sea", "The Sea", "Sea Sea Hill (1999)", "Sea (2001)"],
        ["One and One (1950)", "Two", "One", "Three", "(1960)"],  # the last of no word
        ["Sea", "Red Sea", "Sea", "The Hill", "Red Hill"],
    ],
)
def test_titles_are_words_by_their_rarity(plain_tables, titles):
    """Length 1, each word by its count and the log of how many films there are to one with it."""
    tables = Tables(
        plain_tables.users, plain_tables.movies.assign(title=titles), plain_tables.ratings
    )
    features = Features.fit(tables)
    dense = title_rows(features).toarray()
    assert dense.shape == (len(features.movies), len(features.words))
    split = [[word for word in title.split() if not word.startswith("(")] for title in titles]
    for film, row in zip(tables.movies["movie_id"], split, strict=True):
        weights = {}
        for word in set(row):
            having = sum(word in other for other in split)
            weights[features.words.index(word)] = row.count(word) * math.log(5 / having)
        length = math.sqrt(sum(weight**2 for weight in weights.values()))
        expected = np.zeros(len(features.words))
        for place, weight in weights.items():
            expected[place] = weight / length
        assert dense[film] == pytest.approx(expected, abs=1e-6)
    assert not dense[[0, 1, 4, 7]].any()  # rows of no film


def test_words_beyond_the_length_of_a_title_are_like_none(plain_tables):
    long = " ".join(f"word{n}" for n in range(20))
    tables = Tables(
        plain_tables.users,
        plain_tables.movies.assign(title=["Sea", "Red Sea", "Hill", "The Hill", long]),
        plain_tables.ratings,
    )
    features = Features.fit(tables)
    dense = title_rows(features).toarray()
    assert dense.shape[1] == len(features.words) == 1 + 4 + 20
    assert dense[8, -20:-5] == pytest.approx(15**-0.5)
    assert not dense[:, -5:].any()


def test_title_of_no_word_or_of_a_word_that_all_have_is_like_none(plain_tables):
    movies = plain_tables.movies
    features = Features.fit(plain_tables)
    assert not title_rows(features).toarray()[5].any()  # "(1960)"
    tables = Tables(
        plain_tables.users,
        movies.assign(title=["The (1950)", "The", "The (1960)", "The", "The"]),
        plain_tables.ratings,
    )
    same = title_rows(Features.fit(tables)).toarray()
    assert np.isfinite(same).all()
    assert not same.any()
