"""The simulated world: its form, its known truth, and the signal in everything the network sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from worlds import write_ml1m

from movierec.data.datasets import load_dataset
from movierec.data.tables import AGE_BANDS, GENRES_1M, validate_tables
from movierec.errors import InputError
from movierec.sample.invented import MOODS
from movierec.sample.simulate import _NOISE, Simulation, simulate


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate()


@pytest.fixture(scope="module")
def crowd() -> Simulation:
    """Many people and few films: the taste of a group of people stands out of the noise."""
    return simulate(3000, 300, 240_000, seed=1)


def joined(simulation: Simulation) -> pd.DataFrame:
    """One row a rating, with its user, its movie and both row numbers."""
    tables, truth = simulation.tables, simulation.truth
    table = tables.ratings.merge(tables.users, on="user_id").merge(tables.movies, on="movie_id")
    return table.assign(
        user=np.searchsorted(truth.user_ids, table["user_id"]),
        movie=np.searchsorted(truth.movie_ids, table["movie_id"]),
    )


def without_biases(rated: pd.DataFrame) -> pd.Series:
    """What is left of the ratings without the biases of users and movies."""
    residual = rated["rating"].astype(float)
    for _ in range(10):
        residual = residual - residual.groupby(rated["movie"]).transform("mean")
        residual = residual - residual.groupby(rated["user"]).transform("mean")
    return residual


@pytest.fixture(scope="module")
def rated(world: Simulation) -> pd.DataFrame:
    return joined(world)


def explained(values: np.ndarray, design: np.ndarray) -> np.ndarray:
    """R squared of a least-squares fit, adjusted for the number of columns (chance gives 0).

    One of each column of the values: they share the fit, which is what takes the time.
    """
    design = np.column_stack([np.ones(len(values)), design])
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    left = values - design @ fitted
    return 1 - (left**2).sum(axis=0) / (len(values) - rank) / values.var(axis=0, ddof=1)


def one_hot(column: pd.Series) -> np.ndarray:
    return pd.get_dummies(column, drop_first=True).to_numpy(dtype=float)


def test_tables_have_the_schema_of_all_data_sets(world):
    checked = validate_tables(world.tables)
    pd.testing.assert_frame_equal(checked.users, world.tables.users)
    pd.testing.assert_frame_equal(checked.movies, world.tables.movies)
    assert world.tables.name == "sample"
    assert len(world.tables.occupations) == 21


def test_users_look_like_movielens(world):
    users = world.tables.users
    assert users["user_id"].tolist() == list(range(1, 1001))
    assert (users["gender"] == "F").mean() == pytest.approx(0.28, abs=0.05)
    assert set(users["age"]) == set(AGE_BANDS)
    assert set(users["occupation"]) == set(range(21))
    assert users["zip"].str.fullmatch(r"\d{5}").all()


def test_movies_look_like_movielens(world):
    movies = world.tables.movies
    assert movies["movie_id"].is_monotonic_increasing
    assert len(movies) < movies["movie_id"].max() < 1.05 * len(movies)  # ids with gaps
    assert movies["title"].is_unique
    assert movies["title"].str.fullmatch(r"\S.*\S \((19|20)\d\d\)|\S \(\d{4}\)").all()
    assert movies["year"].between(1919, 2000).all()
    assert (movies["title"].str[-5:-1].astype(int) == movies["year"]).all()
    words = movies["title"].str.split().str.len() - 1
    assert words.min() == 1
    assert words.max() in (12, 13)  # 13: a sequel of a film with a long title
    assert movies["title"].str.contains(", The (", regex=False).mean() > 0.1
    assert movies["title"].str.contains(r" II+,? ").sum() > 3
    assert not movies["title"].map(str.isascii).all()
    genres = movies["genres"].str.split("|")
    assert set(genres.explode()) == set(GENRES_1M)
    assert genres.str.len().between(1, 4).all()
    assert genres.map(lambda names: names == sorted(set(names))).all()
    assert "::" not in "".join(movies["title"])


def test_ratings_look_like_movielens(world):
    ratings = world.tables.ratings
    assert len(ratings) == 80_000
    assert not ratings.duplicated(["user_id", "movie_id"]).any()
    assert set(ratings["rating"]) == {1, 2, 3, 4, 5}
    assert ratings["rating"].mean() == pytest.approx(3.58, abs=0.05)
    assert ratings["rating"].std() == pytest.approx(1.12, abs=0.04)
    assert ratings["user_id"].is_monotonic_increasing
    assert ratings["timestamp"].between(956_703_932, 1_046_454_590).all()
    assert ratings.groupby("user_id")["timestamp"].is_monotonic_increasing.all()


def test_activity_and_popularity_have_long_tails_and_some_films_are_never_rated(world):
    by_user = world.tables.ratings["user_id"].value_counts()
    by_movie = world.tables.ratings["movie_id"].value_counts()
    assert len(by_user) == 1000
    assert by_user.min() >= 20
    assert by_user.mean() > 1.3 * by_user.median()
    assert by_movie.mean() > 1.3 * by_movie.median()
    assert 5 <= len(world.tables.movies) - len(by_movie) <= 70


@pytest.mark.parametrize(
    ("n_users", "n_movies", "n_ratings"),
    [(1, 1, 1), (3, 5, 15), (7, 30, 140), (7, 30, 210), (20, 25, 480), (300, 4000, 9_001)],
)
def test_any_possible_size_is_met_exactly(n_users, n_movies, n_ratings):
    tables = simulate(n_users, n_movies, n_ratings, seed=2).tables
    assert (len(tables.users), len(tables.movies)) == (n_users, n_movies)
    assert len(tables.ratings) == n_ratings
    assert not tables.ratings.duplicated(["user_id", "movie_id"]).any()
    counts = tables.ratings["user_id"].value_counts()
    assert len(counts) == n_users
    assert counts.min() >= min(20, n_movies)


def test_same_seed_same_world_and_another_seed_another():
    first, again, other = (simulate(60, 90, 3000, seed=seed).tables for seed in (4, 4, 5))
    for name in ("users", "movies", "ratings"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name), check_exact=True)
        assert not getattr(first, name).equals(getattr(other, name))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_users": 0}, "n_users=0; expected a whole number from 1"),
        ({"n_movies": -3}, "n_movies=-3"),
        ({"n_users": 1e3}, r"n_users=1000\.0; expected a whole number"),
        ({"seed": -1}, "seed=-1; expected a whole number from 0"),
        ({"n_users": 10, "n_movies": 30, "n_ratings": 301}, "expected 200 .* to 300 .* more users"),
        ({"n_users": 10, "n_movies": 30, "n_ratings": 199}, "expected 200 .* fewer users"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        simulate(**sizes)


def test_the_error_of_the_truth_is_the_noise_floor(world):
    ratings, truth = world.tables.ratings, world.truth
    expected = truth.expected_rating(ratings["user_id"], ratings["movie_id"])
    rmse = np.sqrt(np.mean((ratings["rating"].to_numpy() - expected) ** 2))
    assert rmse == pytest.approx(truth.noise_rmse, abs=0.008)  # four deviations of its sampling
    assert 0.80 <= truth.noise_rmse <= 0.85


def test_expected_rating_is_the_mean_of_many_draws(world):
    truth = world.truth
    user_ids, movie_ids = truth.user_ids[:5], truth.movie_ids[:5]
    latent = truth.level + truth.user_bias[:5] + truth.movie_quality[:5]
    latent += (truth.user_tastes[:5] * truth.movie_traits[:5]).sum(axis=1)
    noise = _NOISE * np.random.default_rng(0).standard_normal((400_000, 1))
    drawn = np.clip(np.rint(latent + noise), 1, 5).mean(axis=0)
    np.testing.assert_allclose(truth.expected_rating(user_ids, movie_ids), drawn, atol=0.008)


def test_expected_rating_refuses_ids_of_another_world(world):
    with pytest.raises(InputError, match="user id 1001; expected one of the 1000"):
        world.truth.expected_rating([1001], world.truth.movie_ids[:1])
    with pytest.raises(InputError, match="movie id 0"):
        world.truth.expected_rating([1], [0])
    with pytest.raises(InputError, match="one movie for each user"):
        world.truth.expected_rating([1, 2], world.truth.movie_ids[:1])


def test_biases_alone_leave_room_for_taste(rated, world):
    """Even fitted on the very rows it is tried on, a model of biases stays well off the floor."""
    assert 1.06 * world.truth.noise_rmse < without_biases(rated).std() < 0.9 * rated["rating"].std()


def test_genres_title_words_and_years_each_say_how_good_a_film_is_and_who_likes_it():
    simulation = simulate(150, 3000, 6000, seed=3)
    movies, truth = simulation.tables.movies, simulation.truth
    genres = movies["genres"].str.get_dummies().to_numpy(dtype=float)
    eras = one_hot(movies["year"].astype(int) // 10)
    words = (f"{of['adjectives']} {of['nouns']}".split() for of in MOODS.values())
    known = sorted({word for own in words for word in own})
    titles = [set(title.replace(",", "").replace("'s", "").split()) for title in movies["title"]]
    words = np.array([[word in title for word in known] for title in titles])
    said = np.column_stack([truth.movie_quality, truth.movie_traits])

    def shares(design: np.ndarray) -> np.ndarray:
        """Of how good a film is, and of who likes it, on average over the traits."""
        quality, *traits = explained(said, design)
        return np.array([quality, np.mean(traits)])

    assert (shares(genres) > 0.03).all()
    assert (shares(eras) > 0.01).all()
    assert (shares(words) > 0.10).all()
    # Genres, eras and words go together, and yet each says something that the others do not.
    most = shares(np.hstack([genres, eras, words]))
    assert (most > shares(np.hstack([genres, eras])) + 0.08).all()
    assert (most > shares(np.hstack([words, eras])) + 0.05).all()


@pytest.mark.parametrize("field", ["gender", "age", "occupation"])
def test_each_demographic_carries_taste(world, field):
    """What is known of a person explains tastes, and so, times the traits, the ratings."""
    tastes, users = world.truth.user_tastes, world.tables.users
    assert explained(tastes, one_hot(users[field])).mean() > 0.05


@pytest.mark.parametrize("field", ["genres", "gender", "age", "occupation"])
def test_each_field_shapes_the_ratings_themselves(crowd, field):
    """People differ by genre, and films by group of people, more than when the field is dealt anew.

    The field is dealt among films or people, not among ratings: so the sizes of the groups and the
    centring of the residuals are the same in the comparison.
    """
    rated = joined(crowd)
    unbiased = without_biases(rated)
    if field == "genres":
        dealt, owner, other = crowd.tables.movies["genres"].str.split("|").str[0], "movie", "user"
    else:
        dealt, owner, other = crowd.tables.users[field], "user", "movie"

    def between_groups(values: np.ndarray) -> float:
        means = unbiased.groupby([values[rated[owner]], rated[other]]).transform("mean")
        return float((means**2).mean())

    rng = np.random.default_rng(0)
    values = dealt.to_numpy()
    by_chance = [between_groups(rng.permutation(values)) for _ in range(3)]
    assert between_groups(values) > max(by_chance) + 0.003


def test_people_choose_films_to_their_taste(rated, world):
    truth = world.truth
    chosen = (truth.user_tastes[rated["user"]] * truth.movie_traits[rated["movie"]]).sum(axis=1)
    shuffled = np.random.default_rng(0).permutation(rated["movie"])
    by_chance = (truth.user_tastes[rated["user"]] * truth.movie_traits[shuffled]).sum(axis=1)
    assert chosen.mean() > by_chance.mean() + 0.2


def test_films_of_a_circle_are_watched_together(world, rated):
    """Cosine of co-watching: the nearest film is of the same circle far more often than chance."""
    truth = world.truth
    seen = np.zeros((len(truth.user_ids), len(truth.movie_ids)))
    seen[rated["user"], rated["movie"]] = 1
    enough = seen.sum(axis=0) >= 40
    # Weighted, so that people who watch everything say little.
    seen = seen[:, enough] / np.sqrt(seen.sum(axis=1, keepdims=True))
    seen -= seen.mean(axis=0)
    seen /= np.linalg.norm(seen, axis=0)
    likeness = seen.T @ seen
    np.fill_diagonal(likeness, -1)
    circle = truth.movie_circle[enough]
    hits = (circle[likeness.argmax(axis=1)] == circle).mean()
    chance = (circle[:, None] == circle).mean()
    assert hits > 4 * chance


def test_files_are_read_back_as_they_were(world, tmp_path):
    write_ml1m(world.tables, tmp_path)
    tables = load_dataset("ml-1m", tmp_path)
    for name in ("users", "movies", "ratings"):
        pd.testing.assert_frame_equal(getattr(tables, name), getattr(world.tables, name))
