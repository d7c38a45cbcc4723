"""Films and who rated them, beside plain loops over the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.recommend.catalogue import Catalogue

FILMS = list(range(2, 50, 2))  # a film's id is its row
PEOPLE = list(range(3, 93, 3))  # a person's id is three times their row


@pytest.mark.parametrize(
    ("stars", "expected"),
    [
        ([1, 5, 3], [1, 2, 3, 4, 5]),
        ([2, 4], [2, 3, 4]),
        ([0.5, 3, 2], [0.5, 1, 1.5, 2, 2.5, 3]),
        ([3], [3]),
    ],
)
def test_stars_that_can_be_given(drawn_run, stars, expected):
    rec = drawn_run.recommender
    ratings = rec.tables.ratings.head(len(stars)).assign(rating=np.array(stars, np.float32))
    tables = Tables(rec.tables.users, rec.tables.movies, ratings)
    found = Catalogue(tables, rec.features)
    assert found.star_values == expected
    assert (found.lowest, found.highest) == (expected[0], expected[-1])


def test_what_was_seen_learned_and_by_whom(drawn_run):
    rec, ratings = drawn_run.recommender, drawn_run.tables.ratings
    learned = ratings[drawn_run.part != "test"]
    assert len(learned) < len(ratings)
    for user_id in PEOPLE:
        for only, table in ((False, ratings), (True, learned)):
            mine = table[table["user_id"] == user_id].sort_values("movie_id")
            films, stars = rec.seen(user_id // 3, learned_only=only)
            assert films.tolist() == mine["movie_id"].tolist()
            assert stars.tolist() == mine["rating"].tolist()
        assert rec.seen(user_id // 3)[0].tolist() == rec.seen(user_id // 3, False)[0].tolist()
    for film in FILMS:
        raters = sorted(ratings.loc[ratings["movie_id"] == film, "user_id"] // 3)
        assert rec.raters(film).tolist() == raters
        assert rec.rated_counts[film] == len(raters)
    bare = Catalogue(rec.tables, rec.features)
    assert bare.seen(1, learned_only=True)[0].tolist() == bare.seen(1)[0].tolist()


# --- conditions ----------------------------------------------------------------------------------

CONDITIONS = [
    {},
    {"genres": ["Comedy"]},
    {"genres": ["Comedy", "War"]},
    {"without": ["War"]},
    {"genres": ["Comedy"], "without": ["War", "Action"]},
    {"years": (1960, None)},
    {"years": (None, 1960)},
    {"years": (1936, 1966)},
    {"years": (1960, 1960)},
    {"ratings": (10, None)},
    {"ratings": (None, 10)},
    {"ratings": (0, 0)},
    {"ratings": (8, 15), "genres": ["Drama"]},
    {"deny": FILMS[3:9]},
    {"deny": FILMS[3:9], "ratings": (10, None)},
]


@pytest.mark.parametrize("asked", CONDITIONS, ids=str)
def test_films_that_meet_all_conditions(drawn_run, asked):
    counts = drawn_run.tables.ratings["movie_id"].value_counts()
    expected = []
    for film in drawn_run.tables.movies.itertuples():
        genres = set(film.genres.split("|"))
        value = {"ratings": counts.get(film.movie_id, 0), "years": film.year}
        met = not genres & set(asked.get("without", ()))
        met &= bool(genres & set(asked["genres"])) if "genres" in asked else True
        for name in ("ratings", "years"):
            low, high = asked.get(name, (None, None))
            if low is not None:
                met = met and value[name] is not pd.NA and value[name] >= low
            if high is not None:
                met = met and value[name] is not pd.NA and value[name] <= high
        met = met and film.movie_id not in asked.get("deny", ())
        if met:
            expected.append(film.movie_id)
    assert drawn_run.recommender.where(**asked).tolist() == expected
    assert len(expected) < len(FILMS) or not asked


def test_a_genre_where_there_are_none_is_told_so(drawn_run):
    tables = drawn_run.tables
    bare = Tables(tables.users, tables.movies.assign(genres=""), tables.ratings, name="bare")
    films = Catalogue(bare, Features.fit(bare), None)
    with pytest.raises(InputError, match="expected some of none, since the data has no genres$"):
        films.where(genres=["War"])


def test_first_of_several_unknown_genres_is_named_beside_the_known_ones(drawn_run):
    known = "expected some of Action, Comedy, Drama, War$"
    for asked in ({"genres": ["Xy", "Ab", "War"]}, {"without": ["Xy", "Ab"]}):
        with pytest.raises(InputError, match=f"^unknown genre 'Ab'; {known}"):
            drawn_run.recommender.where(**asked)
    with pytest.raises(InputError, match="^unknown genre ''"):
        drawn_run.recommender.where(genres=[""])


def test_films_in_words_stand_in_the_order_asked(drawn_run):
    movies = drawn_run.tables.movies.set_index("movie_id")
    rec = drawn_run.recommender
    frame = rec.describe(np.array([48, 2, 30]))
    assert frame.columns.tolist() == ["movie_id", "title", "year", "genres"]
    assert frame.index.tolist() == [0, 1, 2]
    assert frame["movie_id"].tolist() == [48, 2, 30]
    for column in ("title", "genres"):
        assert frame[column].tolist() == movies.loc[[48, 2, 30], column].tolist()
    scored = rec.describe(np.array([4, 2]), np.array([0.5, 7.0]), np.array([0.5, 7.0]))
    assert scored["score"].tolist() == [0.5, 7.0]
    assert scored["predicted"].tolist() == [1.0, 5.0]
    assert rec.describe(np.array([4]), stars=np.array([3.0]))["predicted"].tolist() == [3.0]
    assert len(rec.describe(np.array([], int))) == 0
    assert rec.title(30) == movies.loc[30, "title"]
    assert rec.movie_id(movies.loc[30, "title"]) == 30
    assert len(rec.find("Sea")) == 10
    assert len(rec.find("Sea", 3)) == 3


def test_ranges_that_end_before_they_start_are_refused(drawn_run):
    for asked, told in (({"years": (1999, 1980)}, "1999 to 1980"), ({"ratings": (9, 2)}, "9 to 2")):
        with pytest.raises(InputError, match=f"got the range {told}; expected the lower"):
            drawn_run.recommender.where(**asked)
