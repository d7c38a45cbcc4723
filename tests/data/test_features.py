"""Ids and indices: one door, both ways, and the encodings of the document."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from movierec.data.features import (
    Features,
    IdVocabulary,
    split_genres,
    title_words,
)
from movierec.data.tables import AGE_BANDS, Tables
from movierec.errors import InputError


def with_ages(tables: Tables, ages: list[int]) -> Tables:
    """The first users of some tables, with ages of our own."""
    users = tables.users.head(len(ages)).assign(age=np.array(ages, dtype=np.int64))
    return Tables(users, tables.movies, tables.ratings, occupations=tables.occupations)


# --- ids -----------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 2**31 - 1), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_every_id_comes_back_from_a_row_of_its_own(ids):
    vocabulary = IdVocabulary.fit("movie", list(ids))
    known = np.array(sorted(ids))
    rows = vocabulary.encode(known)
    assert vocabulary.decode(rows).tolist() == known.tolist()
    assert len(set(rows.tolist())) == len(ids)
    assert rows.min() >= 1  # row 0 stays free
    assert vocabulary.used.tolist() == sorted(rows.tolist())
    assert rows.max() < len(vocabulary)


def test_ids_that_are_nearly_consecutive_are_their_own_rows():
    vocabulary = IdVocabulary.fit("movie", [1, 2, 4, 6])
    assert vocabulary.encode([6, 1, 4]).tolist() == [6, 1, 4]
    assert len(vocabulary) == 7
    assert vocabulary.decode([0, 3, 5]).tolist() == [-1, -1, -1]


def test_ids_are_their_own_rows_as_long_as_half_the_rows_are_used():
    assert len(IdVocabulary.fit("user", [1, 2, 6])) == 7
    assert len(IdVocabulary.fit("user", [1, 2, 7])) == 4
    for ids in ([1, 2, 6], [1, 2, 7]):
        assert IdVocabulary.fit("user", np.array(ids, dtype=np.int32)).ids.dtype == np.int64


@pytest.mark.parametrize("ids", [[1, 100, 1_000_000], [0, 1, 2], [500, 501]])
def test_other_ids_are_numbered_in_order_without_gaps(ids):
    vocabulary = IdVocabulary.fit("user", ids)
    assert vocabulary.encode(ids).tolist() == list(range(1, len(ids) + 1))
    assert len(vocabulary) == len(ids) + 1
    assert vocabulary.decode([0]).tolist() == [-1]


@pytest.mark.parametrize("stray", [0, 3, 5, 7, -1, 10**12])
def test_unknown_id_is_named(stray):
    vocabulary = IdVocabulary.fit("movie", [1, 2, 4, 6])
    with pytest.raises(
        InputError, match=rf"unknown movie id {stray}; expected one of the 4 movies"
    ):
        vocabulary.encode([1, stray])


def test_a_fraction_is_no_id():
    with pytest.raises(InputError, match=r"unknown movie id 1\.5"):
        IdVocabulary.fit("movie", [1, 2, 4, 6]).encode([1.5])


def test_many_unknown_ids_are_shown_in_part():
    vocabulary = IdVocabulary.fit("user", [1, 2, 3])
    for strays, shown in (90, r"14 \.\.\."), (16, r"14 \.\.\."), (15, "14"):
        with pytest.raises(
            InputError, match=rf"unknown user id 10, 11, 12, 13, {shown}; .*from 1 to 3$"
        ):
            vocabulary.encode(np.arange(10, strays))


@pytest.mark.parametrize("ids", [["1", "2"], [True, False], [None, 1], [1j]])
def test_what_is_no_number_is_no_id(ids):
    with pytest.raises(InputError, match=r"got user ids of type .*; expected whole numbers"):
        IdVocabulary.fit("user", [1, 2]).encode(ids)


@pytest.mark.parametrize("stray", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_no_id(stray):
    with pytest.raises(InputError, match=r"unknown user id -?(nan|inf)"):
        IdVocabulary.fit("user", [1, 2]).encode([1, stray])


def test_no_ids_encode_to_no_rows():
    assert IdVocabulary.fit("user", [1, 2]).encode([]).tolist() == []


# --- demographics --------------------------------------------------------------------------------


def test_genders_and_jobs_are_the_documented_codes(small_tables, small_features):
    rows = small_features.users.encode(small_tables.users["user_id"])
    codes = small_tables.users["gender"].map({"F": 0, "M": 1})
    assert small_features.user_fields["gender"][rows].tolist() == codes.tolist()
    jobs = small_tables.users["occupation"]
    assert small_features.user_fields["job"][rows].tolist() == jobs.tolist()


def test_first_years_of_the_bands_are_numbered_in_order(small_tables):
    features = Features.fit(with_ages(small_tables, list(AGE_BANDS)))
    assert features.user_fields["age"][features.users.used].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_ages_in_years_fall_into_their_bands(small_tables):
    ages = [0, 7, 17, 24, 34, 44, 49, 55, 99]
    features = Features.fit(with_ages(small_tables, ages))
    assert features.user_fields["age"][features.users.used].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6]


def test_data_without_demographics_has_no_user_fields(plain_tables):
    features = Features.fit(plain_tables)
    assert features.user_fields == {}
    sizes = features.sizes
    assert (sizes.users, sizes.genders, sizes.ages, sizes.jobs) == (7, 0, 0, 0)


def test_unknown_user_and_unknown_movie_have_empty_fields(small_features):
    assert all(field[0] == 0 for field in small_features.user_fields.values())
    assert all(not field[0].any() for field in small_features.movie_fields.values())


# --- genres and titles ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Silent Harbour, The (1984)", ["Silent", "Harbour,", "The"]),
        ("Café  Noir (2001) ", ["Café", "Noir"]),
        ("1984 (1956)", ["1984"]),
        ("2001: A Journey", ["2001:", "A", "Journey"]),
        ("(1960)", []),
        ("Tin Moon (a.k.a. Moon) (1950)", ["Tin", "Moon", "(a.k.a.", "Moon)"]),
    ],
)
def test_title_loses_its_year_and_falls_into_words(title, words):
    assert title_words(title) == words


@pytest.mark.parametrize(
    ("genres", "expected"),
    [("War|Drama", ["War", "Drama"]), ("(no genres listed)", []), ("", [])],
)
def test_genres_are_split(genres, expected):
    assert split_genres(genres) == expected


def test_a_doubled_genre_takes_no_slot_of_another(plain_tables):
    movies = plain_tables.movies.assign(genres="War|War|Drama")
    features = Features.fit(dataclasses.replace(plain_tables, movies=movies))
    assert features.movie_fields["genres"][2].tolist() == [2, 1]


def test_genres_and_titles_decode_to_what_they_were(small_tables, small_features):
    features = small_features
    for movie in small_tables.movies.itertuples():
        row = features.movies.encode([movie.movie_id])[0]
        genres = [features.genres[i] for i in features.movie_fields["genres"][row] if i]
        words = [features.words[i] for i in features.movie_fields["title"][row] if i]
        assert genres == movie.genres.split("|")
        assert words == title_words(movie.title)[:15]


def test_padding_is_index_0_and_comes_after_the_entries(plain_tables):
    features = Features.fit(plain_tables)
    assert features.genres == ["", "Comedy", "Drama", "War"]
    assert features.words == ["", "Red", "Hill", "Sea", "A", "B", "C"]
    assert features.movie_fields["genres"][3].tolist() == [1, 2, 0]
    assert features.movie_fields["title"][2].tolist() == [1, 2] + [0] * 13
    assert not features.movie_fields["genres"][5].any()  # no genres listed
    assert not features.movie_fields["title"][5].any()  # a year is its whole title


def test_words_beyond_the_title_length_are_cut(plain_tables):
    features = Features.fit(plain_tables, title_length=2)
    assert [features.words[i] for i in features.movie_fields["title"][6]] == ["A", "B"]
    assert features.sizes.title_length == 2


def test_fields_are_small_integers_and_vocabularies_name_what_they_number(small_tables):
    small_features = Features.fit(small_tables)
    fields = small_features.user_fields | small_features.movie_fields
    assert {field: values.dtype.name for field, values in fields.items()} == dict.fromkeys(
        ("gender", "age", "job", "genres", "title"), "int32"
    )
    assert (small_features.users.kind, small_features.movies.kind) == ("user", "movie")
    assert small_features.occupations == 21


@pytest.mark.parametrize(("genres", "allowed"), [(1000, True), (1001, False)])
def test_more_genres_than_films_can_be_told_apart_by_are_refused(plain_tables, genres, allowed):
    movies = pd.DataFrame(
        {"movie_id": range(genres), "title": "A", "genres": [f"g{i}" for i in range(genres)]}
    )
    movies["year"] = pd.array([None] * genres, dtype="Int64")
    tables = dataclasses.replace(plain_tables, movies=movies)
    if allowed:
        assert Features.fit(tables).sizes.genres == genres + 1
        return
    with pytest.raises(
        InputError, match=r"have 1,001 different genres; expected 1,000 at most, .*\. Give the"
    ):
        Features.fit(tables)


def test_years_stand_in_the_rows_of_their_films(plain_tables):
    years = Features.fit(plain_tables).years
    assert years.dtype == np.float32
    nan = np.nan
    expected = [nan, nan, 1950, nan, nan, 1960, 1999, nan, 2001]
    assert np.array_equal(years, expected, equal_nan=True)


def test_films_without_any_genre_have_one_free_slot(plain_tables):
    movies = plain_tables.movies.assign(genres="(no genres listed)")
    features = Features.fit(dataclasses.replace(plain_tables, movies=movies))
    assert features.movie_fields["genres"].tolist() == [[0]] * len(features.movies)


def test_sizes_count_the_rows_of_each_embedding(small_tables, small_features):
    sizes = small_features.sizes
    words = {word for title in small_tables.movies["title"] for word in title_words(title)}
    genres = {genre for row in small_tables.movies["genres"] for genre in row.split("|")}
    assert sizes.users == small_tables.users["user_id"].max() + 1
    assert sizes.movies == small_tables.movies["movie_id"].max() + 1
    assert (sizes.genders, sizes.ages, sizes.jobs) == (2, 7, 21)
    assert sizes.words == len(words) + 1
    assert sizes.genres == len(genres) + 1
    assert sizes.genre_slots == len(genres)
    assert sizes.title_length == 15


@pytest.mark.parametrize("ident", [0, -1, -4, -(10**9), 4, 10**9])
def test_ids_around_those_that_are_their_own_rows_are_unknown(ident):
    vocabulary = IdVocabulary.fit("movie", [1, 2, 3])
    with pytest.raises(InputError, match=f"unknown movie id {ident}; expected one of the 3"):
        vocabulary.encode([2, ident])
