"""The real MovieLens, where it is at hand: facts of the data, the encodings and the splits."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from worlds import write_ml1m

from movierec.data.datasets import load_dataset
from movierec.data.features import Features, title_words
from movierec.data.splits import split
from movierec.data.tables import GENRES_1M, Tables, validate_tables
from movierec.grouplens import FOLDS, official_fold
from movierec.lessons.describe import joined_table
from movierec.lessons.shapes import compare, derive
from movierec.network.settings import NetworkConfig
from movierec.network.towers import TwoTower, all_vectors


@pytest.fixture(scope="module")
def features_1m(real_1m: Tables) -> Features:
    return Features.fit(real_1m)


def test_1m_has_its_users_movies_and_ratings(real_1m):
    assert len(real_1m.users) == 6040
    assert len(real_1m.movies) == 3883
    assert len(real_1m.ratings) == 1_000_209
    assert (real_1m.movies["movie_id"].min(), real_1m.movies["movie_id"].max()) == (1, 3952)
    assert real_1m.ratings["movie_id"].nunique() == 3706
    assert real_1m.ratings["user_id"].value_counts().min() == 20


def test_1m_has_its_counts_of_stars(real_1m):
    counts = real_1m.ratings["rating"].value_counts().sort_index()
    assert counts.index.tolist() == [1, 2, 3, 4, 5]
    assert counts.tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]


@pytest.mark.parametrize(
    ("movie_id", "title", "ratings"),
    [
        (2858, "American Beauty (1999)", 3428),
        (260, "Star Wars: Episode IV - A New Hope (1977)", 2991),
    ],
)
def test_1m_films_have_their_titles_and_ratings(real_1m, movie_id, title, ratings):
    movies = real_1m.movies.set_index("movie_id")
    assert movies.loc[movie_id, "title"] == title
    assert (real_1m.ratings["movie_id"] == movie_id).sum() == ratings


def test_1m_has_all_genres_years_and_demographics(real_1m):
    genres = {genre for row in real_1m.movies["genres"] for genre in row.split("|")}
    assert genres == set(GENRES_1M)
    assert real_1m.movies["year"].notna().all()
    assert real_1m.users["gender"].isin(["F", "M"]).all()
    assert sorted(real_1m.users["occupation"].unique()) == list(range(21))


def test_1m_titles_are_read_with_their_accents(real_1m):
    accented = real_1m.movies["title"].str.contains("[À-ÿ]").sum()
    assert accented > 20
    assert not real_1m.movies["title"].str.contains("Ã|�").any()


def test_1m_is_read_in_a_few_seconds(real_1m, tmp_path):
    write_ml1m(real_1m, tmp_path / "ml-1m")
    began = time.process_time()
    again = load_dataset("ml-1m", tmp_path / "ml-1m")
    assert time.process_time() - began < 5  # seconds of the processor
    assert again.ratings.equals(real_1m.ratings)
    assert again.movies.equals(real_1m.movies)


def test_1m_has_the_documented_sizes(features_1m):
    sizes = features_1m.sizes
    assert (sizes.users, sizes.movies, sizes.genres, sizes.words) == (6041, 3953, 19, 5217)
    assert (sizes.title_length, sizes.genre_slots) == (15, 18)
    assert (sizes.genders, sizes.ages, sizes.jobs) == (2, 7, 21)


def test_1m_ids_are_their_own_rows(real_1m, features_1m):
    for vocabulary, ids in (
        (features_1m.users, real_1m.users["user_id"]),
        (features_1m.movies, real_1m.movies["movie_id"]),
    ):
        assert np.array_equal(vocabulary.encode(ids), ids)


def test_1m_longest_title_fills_the_title_length(real_1m):
    assert max(len(title_words(title)) for title in real_1m.movies["title"]) == 15


def test_1m_network_has_541456_parameters_and_the_derived_shapes(features_1m):
    model = TwoTower(features_1m, NetworkConfig(), 0)
    assert model.count_params() == 541_456
    derived = derive(features_1m.sizes, NetworkConfig())
    assert compare(derived, model.user_tower, model.movie_tower)["equal"].all()
    assert sum(layer.parameters for layer in derived) == 541_456
    users, movies = all_vectors(model)
    assert users.shape == (6041, 200)
    assert movies.shape == (3953, 200)


def test_1m_joined_table_has_the_documented_columns(real_1m, features_1m):
    joined = joined_table(real_1m, features_1m, slice(0, 1000))
    assert joined.shape == (1000, 8)
    assert joined["Title"].map(len).eq(15).all()
    assert joined["Genres"].map(len).eq(18).all()


def test_1m_origin_split_is_that_of_scikit_learn(real_1m):
    train, test = split(real_1m.ratings, "origin")
    expected = train_test_split(np.arange(1_000_209), test_size=0.2, random_state=0)
    assert np.array_equal(train, expected[0])
    assert np.array_equal(test, expected[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_1m_random_split_is_ninety_ten(real_1m, seed):
    order = np.random.default_rng(seed).permutation(1_000_209)
    train, test = split(real_1m.ratings, "random", 0.1, seed)
    assert np.array_equal(test, order[:100_020])
    assert np.array_equal(train, order[100_020:])


@pytest.mark.parametrize(("fraction", "point"), [(0.2, 975_768_738), (0.1, 978_133_414)])
def test_1m_temporal_split_cuts_at_the_known_time(real_1m, fraction, point):
    train, test = split(real_1m.ratings, "temporal", fraction)
    timestamps = real_1m.ratings["timestamp"].to_numpy()
    assert abs(int(timestamps[test].min()) - point) <= 60
    assert timestamps[train].max() <= timestamps[test].min()


def test_100k_has_its_users_movies_and_ratings(real_100k):
    assert len(real_100k.users) == 943
    assert len(real_100k.movies) == 1682
    assert len(real_100k.ratings) == 100_000
    counts = real_100k.ratings["rating"].value_counts().sort_index()
    assert counts.tolist() == [6110, 11_370, 27_145, 34_174, 21_201]
    assert len(real_100k.occupations) == 21
    assert real_100k.ratings["user_id"].value_counts().min() == 20


def test_100k_is_encoded(real_100k):
    tables = validate_tables(real_100k)
    sizes = Features.fit(tables).sizes
    assert (sizes.users, sizes.movies, sizes.genres) == (944, 1683, 20)
    assert (sizes.genders, sizes.ages, sizes.jobs) == (2, 7, 21)
    # the film called "unknown", and one whose title goes on after the year
    assert tables.movies["year"].isna().sum() == 2


def test_100k_official_folds_are_five_disjoint_fifths(real_100k, real_folder_100k):
    folds = [official_fold(real_100k, real_folder_100k, fold) for fold in FOLDS]
    assert [len(fold) for fold in folds] == [20_000] * 5
    assert np.array_equal(np.sort(np.concatenate(folds)), np.arange(100_000))


def test_1m_last_split_holds_out_one_rating_a_user(real_1m):
    train, test = split(real_1m.ratings, "last")
    assert len(test) == 6040
    assert real_1m.ratings["user_id"].iloc[test].is_unique
    assert len(train) == 1_000_209 - 6040
