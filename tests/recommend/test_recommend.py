"""Every mode of recommendation, on a world whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from movierec.data.features import Features
from movierec.data.tables import AGE_BAND_NAMES, Tables
from movierec.errors import InputError
from movierec.recommend.recommender import FANS, Recommender

PEOPLE, FILMS = 40, 24
# ids leave gaps, so that an id taken for a position, or a gap taken for a film, shows
USER_IDS = 3 * np.arange(1, PEOPLE + 1)
MOVIE_IDS = 2 * np.arange(1, FILMS + 1)


@pytest.fixture(scope="module")
def checkerboard() -> Recommender:
    """Even people love even films and hate odd ones, odd people the other way round.

    Person u has rated all films but u % 24 and the next five: three that they would love, the
    earlier ones a little more, and three that they would hate. Free rows of both matrices hold
    what would be everybody's favourite.
    """
    person, film = np.divmod(np.arange(PEOPLE * FILMS), FILMS)
    rated = (film - person) % FILMS >= 6
    loved = (person + film) % 2 == 0
    rng = np.random.default_rng(0)
    tables = Tables(
        users=pd.DataFrame(
            {
                "user_id": USER_IDS,
                "gender": np.where(np.arange(PEOPLE) % 2, "M", "F"),
                "age": np.full(PEOPLE, 25),
                "occupation": np.arange(PEOPLE) % 2,
                "zip": "0",
            }
        ),
        movies=pd.DataFrame(
            {
                "movie_id": MOVIE_IDS,
                "title": [f"Film {i} (19{50 + i})" for i in range(FILMS)],
                "genres": "Drama",
                "year": pd.array(range(1950, 1950 + FILMS), dtype="Int64"),
            }
        ),
        ratings=pd.DataFrame(
            {
                "user_id": USER_IDS[person],
                "movie_id": MOVIE_IDS[film],
                "rating": np.where(loved, 5, 1).astype(np.float32),
                "timestamp": np.arange(PEOPLE * FILMS),
            }
        )[rated].iloc[rng.permutation(rated.sum())],
        occupations=("artist", "writer"),
    )
    features = Features.fit(tables)
    users = np.full((len(features.users), 3), 9, dtype=np.float32)
    movies = np.full((len(features.movies), 3), 9, dtype=np.float32)
    sign = np.array([1, -1], dtype=np.float32)
    users[features.users.used] = np.column_stack(
        [sign[np.arange(PEOPLE) % 2], np.ones(PEOPLE), np.linspace(1, 1.2, PEOPLE)]
    )
    movies[features.movies.used] = np.column_stack(
        [2 * sign[np.arange(FILMS) % 2], np.full(FILMS, 2.5), -np.arange(FILMS) / 100]
    )
    return Recommender(tables, features, users, movies)


def seen_by(recommender: Recommender, user_id: int) -> set[int]:
    ratings = recommender.tables.ratings
    return set(ratings.loc[ratings["user_id"] == user_id, "movie_id"])


def loved_by(person: int) -> set[int]:
    return set(MOVIE_IDS[person % 2 :: 2].tolist())


# --- films for a user ----------------------------------------------------------------------------


@pytest.mark.parametrize("person", range(PEOPLE))
def test_withheld_films_that_a_user_loves_come_first(checkerboard, person):
    user_id = int(USER_IDS[person])
    films = checkerboard.for_user(user_id, k=6)
    withheld = set(MOVIE_IDS.tolist()) - seen_by(checkerboard, user_id)
    assert set(films["movie_id"]) == withheld
    assert set(films["movie_id"].head(3)) == withheld & loved_by(person)
    first = films["movie_id"].head(3)
    assert first.tolist() == sorted(first)  # the earlier ones are loved a little more


def test_result_is_a_table_of_films_best_first(checkerboard):
    films = checkerboard.for_user(3)
    assert films.columns.tolist() == ["movie_id", "title", "year", "genres", "score"]
    assert films["score"].is_monotonic_decreasing
    assert films.index.tolist() == list(range(len(films)))
    for film in films.itertuples():
        place = MOVIE_IDS.tolist().index(film.movie_id)
        assert (film.title, film.year) == (f"Film {place} (19{50 + place})", 1950 + place)


def test_scores_are_the_predicted_stars(checkerboard):
    films = checkerboard.for_user(6, k=5)
    stars = checkerboard.predict([6] * 5, films["movie_id"])
    assert films["score"].to_numpy() == pytest.approx(stars, rel=1e-6)
    assert films["score"].between(1, 5).all()


def test_seen_films_are_shown_when_asked_for(checkerboard):
    films = checkerboard.for_user(3, k=12, exclude_seen=False)
    assert set(films["movie_id"]) == loved_by(0)
    assert films["movie_id"].tolist() == sorted(loved_by(0))


@pytest.mark.parametrize(("k", "given"), [(1, 1), (4, 4), (6, 6), (7, 6), (1000, 6)])
def test_k_films_or_as_many_as_are_left(checkerboard, k, given):
    assert len(checkerboard.for_user(3, k=k)) == given
    assert len(checkerboard.for_user(3, k=k, temperature=1.0, seed=0)) == given


@pytest.mark.parametrize(
    "temperature",
    [
        0.0,
        1.0,
    ],
)
def test_user_who_has_seen_everything_gets_an_empty_table(checkerboard, temperature):
    rest = pd.DataFrame(
        {
            "user_id": 3,
            "movie_id": sorted(set(MOVIE_IDS.tolist()) - seen_by(checkerboard, 3)),
            "rating": np.float32(3),
            "timestamp": 0,
        }
    )
    tables = checkerboard.tables
    ratings = pd.concat([tables.ratings, rest], ignore_index=True)
    everything = Recommender(
        Tables(tables.users, tables.movies, ratings, occupations=tables.occupations),
        checkerboard.features,
        checkerboard.user_vectors,
        checkerboard.movie_vectors,
    )
    films = everything.for_user(3, temperature=temperature, seed=0)
    assert len(films) == 0
    assert films.columns.tolist() == ["movie_id", "title", "year", "genres", "score"]
    assert everything.for_users([3, 6], k=2)["user_id"].tolist() == [6, 6]


def test_free_rows_and_gaps_are_never_films_or_people(checkerboard):
    """Their vectors would win everywhere."""
    whole = {"k": 1000}
    for films in (
        checkerboard.for_user(3, **whole, exclude_seen=False),
        checkerboard.for_users([3], **whole, exclude_seen=False),
        checkerboard.similar(2, **whole),
        checkerboard.also_liked(2, **whole),
        checkerboard.for_user(3, k=20, temperature=5.0, seed=1, exclude_seen=False),
    ):
        assert set(films["movie_id"]) <= set(MOVIE_IDS.tolist())
    assert set(checkerboard.people_who_like(2, **whole)["user_id"]) == set(USER_IDS.tolist())


# --- for many users ------------------------------------------------------------------------------


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("block", [1024, 7])
def test_many_users_get_what_each_would_get_alone(checkerboard, monkeypatch, exclude_seen, block):
    monkeypatch.setattr("movierec.recommend.recommender.BLOCK", block)
    asked = USER_IDS[::-1].tolist()
    together = checkerboard.for_users(asked, k=5, exclude_seen=exclude_seen)
    assert together["user_id"].tolist() == [user for user in asked for _ in range(5)]
    assert together["rank"].tolist() == [1, 2, 3, 4, 5] * PEOPLE
    for user_id, films in together.groupby("user_id"):
        alone = checkerboard.for_user(user_id, k=5, exclude_seen=exclude_seen)
        films = films.drop(columns=["user_id", "rank"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(films, alone, rtol=1e-5)


def test_lists_by_row_number_end_where_no_films_are_left(checkerboard):
    users, movies = checkerboard.features.users, checkerboard.features.movies
    best, scores = checkerboard.top(users.encode([3, 6]), k=8)
    assert best.shape == scores.shape == (2, 8)
    assert movies.decode(best[0, :6]).tolist() == checkerboard.for_user(3, k=6)["movie_id"].tolist()
    assert (best[:, 6:] == -1).all()
    assert np.isneginf(scores[:, 6:]).all()
    expected = checkerboard.scores(users.encode([3, 6]))
    assert np.array_equal(scores[:, :6], np.take_along_axis(expected, best[:, :6], axis=1))


def test_user_asked_twice_is_answered_twice(checkerboard):
    assert checkerboard.for_users([6, 6], k=1)["rank"].tolist() == [1, 1]


def test_no_users_get_an_empty_table_of_the_same_columns(checkerboard):
    expected = checkerboard.for_users([3], k=1).columns.tolist()
    found = checkerboard.for_users([])
    assert len(found) == 0
    assert found.columns.tolist() == expected


# --- similar films, and what else people like ----------------------------------------------------


@pytest.mark.parametrize("movie_id", [2, 4, 48])
def test_similar_films_are_of_the_same_colour_without_the_film_itself(checkerboard, movie_id):
    films = checkerboard.similar(movie_id, k=11)
    colour = loved_by((movie_id // 2 - 1) % 2)
    assert set(films["movie_id"]) == colour - {movie_id}
    assert films["score"].is_monotonic_decreasing
    assert films["score"].between(-1, 1 + 1e-6).all()


def test_nearest_film_is_the_most_similar(checkerboard):
    assert set(checkerboard.similar(20, k=2)["movie_id"]) == {16, 24}


def test_length_of_a_vector_does_not_make_films_similar(checkerboard):
    movies = checkerboard.movie_vectors.copy()
    movies[8] *= 100
    longer = Recommender(
        checkerboard.tables, checkerboard.features, checkerboard.user_vectors, movies
    )
    pd.testing.assert_frame_equal(longer.similar(20), checkerboard.similar(20), rtol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 10, 23])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_also_liked_always_gives_k_films(checkerboard, k, temperature):
    films = checkerboard.also_liked(2, k=k, temperature=temperature, seed=0)
    assert len(films) == k
    assert films["movie_id"].is_unique
    assert 2 not in films["movie_id"].tolist()


@pytest.mark.parametrize("movie_id", [2, 4])
def test_people_who_liked_a_film_also_like_its_colour(checkerboard, movie_id):
    films = checkerboard.also_liked(movie_id, k=11)
    assert set(films["movie_id"]) == loved_by(movie_id // 2 - 1) - {movie_id}
    assert films["score"].between(1, 5).all()


def test_people_who_like_a_film_are_shown_with_who_they_are(checkerboard):
    people = checkerboard.people_who_like(4)
    assert people.columns.tolist() == ["user_id", "gender", "age", "occupation", "score"]
    assert len(people) == FANS
    assert set(people["user_id"]) == set(USER_IDS[1::2].tolist())
    assert set(people["gender"]) == {"M"}
    assert set(people["occupation"]) == {"writer"}
    assert set(people["age"]) == {AGE_BAND_NAMES[2]}
    assert people["score"].is_monotonic_decreasing


def test_people_without_demographics_are_shown_by_id_alone(plain_tables):
    features = Features.fit(plain_tables)
    rng = np.random.default_rng(0)
    users, movies = (
        rng.random((len(vocabulary), 4), np.float32)
        for vocabulary in (features.users, features.movies)
    )
    recommender = Recommender(plain_tables, features, users, movies)
    people = recommender.people_who_like(2, k=3)
    assert people.columns.tolist() == ["user_id", "score"]
    assert set(people["user_id"]) <= {1, 2, 4, 6}
    assert recommender.for_user(6)["movie_id"].isin([2, 3, 5, 6]).all()


# --- a random element ----------------------------------------------------------------------------

MODES = {
    "for_user": lambda rec, **draw: rec.for_user(3, exclude_seen=False, **draw),
    "similar": lambda rec, **draw: rec.similar(2, **draw),
    "also_liked": lambda rec, **draw: rec.also_liked(2, **draw),
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


@each_mode
def test_temperature_0_is_the_plain_best_whatever_the_seed(checkerboard, mode):
    plain = mode(checkerboard, k=5)
    for seed in (None, 0, 1):
        found = mode(checkerboard, k=5, temperature=0.0, seed=seed)
        pd.testing.assert_frame_equal(found, plain)


@each_mode
def test_same_seed_gives_the_same_films_and_another_seed_others(checkerboard, mode):
    draws = [mode(checkerboard, k=4, temperature=1.0, seed=seed) for seed in range(8)]
    again = mode(checkerboard, k=4, temperature=1.0, seed=3)
    pd.testing.assert_frame_equal(draws[3], again)
    assert len({tuple(films["movie_id"]) for films in draws}) > 4


@each_mode
def test_a_draw_repeats_no_film_and_is_ordered(checkerboard, mode):
    for seed in range(20):
        films = mode(checkerboard, k=8, temperature=2.0, seed=seed)
        assert films["movie_id"].is_unique
        assert len(films) == 8
        assert films["score"].is_monotonic_decreasing


@each_mode
def test_a_low_temperature_stays_near_the_best_and_a_high_one_does_not(checkerboard, mode):
    best = set(mode(checkerboard, k=4)["movie_id"])

    def hits(temperature: float) -> int:
        draws = (mode(checkerboard, k=4, temperature=temperature, seed=s) for s in range(30))
        return sum(len(best & set(films["movie_id"])) for films in draws)

    assert hits(1e-9) == 120
    assert hits(1e-9) > hits(0.5) > hits(50.0)


def test_a_draw_leaves_out_seen_films(checkerboard):
    for seed in range(20):
        films = checkerboard.for_user(3, k=3, temperature=9.0, seed=seed)
        assert not set(films["movie_id"]) & seen_by(checkerboard, 3)


# --- ratings -------------------------------------------------------------------------------------


def test_predicted_ratings_are_one_a_pair_within_the_stars_of_the_data(checkerboard):
    stars = checkerboard.predict([3, 3, 6], [2, 4, 4])
    assert stars.shape == (3,)
    assert stars.dtype == np.float32
    assert stars == pytest.approx([4.5, 1.0, 4.5], abs=0.02)  # 0.5 is clipped to 1


def test_no_pairs_have_no_ratings(checkerboard):
    assert checkerboard.predict([], []).tolist() == []


def test_unequal_lists_are_no_pairs(checkerboard):
    with pytest.raises(InputError, match=r"users of shape \(2,\) and films of shape \(3,\)"):
        checkerboard.predict([3, 6], [2, 4, 6])


# --- what is refused -----------------------------------------------------------------------------

ASKED = {
    "for_user": lambda rec, ident: rec.for_user(ident),
    "for_users": lambda rec, ident: rec.for_users([3, ident]),
    "predict's user": lambda rec, ident: rec.predict([ident], [2]),
    "similar": lambda rec, ident: rec.similar(ident),
    "also_liked": lambda rec, ident: rec.also_liked(ident),
    "people_who_like": lambda rec, ident: rec.people_who_like(ident),
    "predict's movie": lambda rec, ident: rec.predict([3], [ident]),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("ident", [0, 1, -1, 10**9])  # the free row, a gap, and beyond
def test_unknown_id_is_named(checkerboard, ask, ident):
    with pytest.raises(InputError, match=rf"unknown (user|movie) id {ident}; expected one of"):
        ask(checkerboard, ident)


@pytest.mark.parametrize("k", [0, -1])
@pytest.mark.parametrize(
    "method", ["for_user", "for_users", "similar", "also_liked", "people_who_like"]
)
def test_fewer_than_one_film_is_refused(checkerboard, method, k):
    known = {"for_user": 3, "for_users": [3]}.get(method, 2)
    with pytest.raises(InputError, match=f"got k = {k}; expected a whole number"):
        getattr(checkerboard, method)(known, k=k)


@each_mode
@pytest.mark.parametrize("temperature", [-1, float("inf"), float("nan")])
def test_temperature_that_is_none_is_refused(checkerboard, mode, temperature):
    with pytest.raises(InputError, match=f"got temperature {temperature}; expected 0"):
        mode(checkerboard, k=3, temperature=temperature)


@pytest.mark.parametrize(
    "ask",
    [
        ASKED["for_user"],
        ASKED["for_users"],
    ],
)
def test_user_id_that_is_a_fraction_is_refused(checkerboard, ask):
    with pytest.raises(InputError, match=r"unknown user id 3\.5"):
        ask(checkerboard, 3.5)


@pytest.mark.parametrize("kind", ["user", "movie"])
@pytest.mark.parametrize("shape", [(5, 3), (3,)])
def test_vectors_of_another_shape_are_refused(checkerboard, kind, shape):
    vectors = {"user": checkerboard.user_vectors, "movie": checkerboard.movie_vectors}
    vectors[kind] = np.zeros(shape, dtype=np.float32)
    with pytest.raises(InputError, match=f"the {kind} vectors have shape"):
        Recommender(checkerboard.tables, checkerboard.features, vectors["user"], vectors["movie"])


# --- films by name -------------------------------------------------------------------------------


def test_films_are_found_by_name(checkerboard):
    assert checkerboard.movie_id("film 7") == 16
    assert checkerboard.find("film 7 (1957)", k=1)["movie_id"].tolist() == [16]


# --- choosing among films, groups, the balance of liking and watching -----------------------------


def test_range_that_ends_before_it_starts_is_refused(drawn_run):
    with pytest.raises(InputError, match="got the range 1999 to 1980; expected the lower"):
        drawn_run.recommender.where(years=(1999, 1980))
    with pytest.raises(InputError, match="got the range 9 to 2"):
        drawn_run.recommender.where(ratings=(9, 2))


@pytest.mark.parametrize("k", [2.0, "3", 0, -1])
def test_number_of_films_is_a_whole_number_above_0(checkerboard, k):
    for mode in (checkerboard.for_user, checkerboard.similar):
        with pytest.raises(InputError, match="got k = .*; expected a whole number"):
            mode(6, k=k)


def test_ids_to_choose_among_are_not_cut_to_whole_numbers(checkerboard):
    with pytest.raises(InputError, match=r"2\.5"):
        checkerboard.for_user(6, among=[2.5])
    with pytest.raises(InputError, match=r"2\.5"):
        checkerboard.where(deny=[2.5])


def test_nothing_to_choose_among_gives_no_films(checkerboard):
    assert len(checkerboard.for_user(6, among=[])) == 0
    assert len(checkerboard.where(allow=[])) == 0


def test_balance_of_liking_and_watching_needs_both(checkerboard):
    for ask in (
        checkerboard.for_user,
        lambda user, liking: checkerboard.for_group([user], liking=liking),
    ):
        with pytest.raises(
            InputError, match="got liking 0.5, but the run knows only what is liked"
        ):
            ask(6, liking=0.5)
    with pytest.raises(InputError, match="got liking 0.5"):
        checkerboard.top(np.array([1]), liking=0.5)
    assert checkerboard.for_user(6, liking=1.0).equals(checkerboard.for_user(6))


def test_film_of_unknown_year_meets_no_condition_of_years(plain_tables):
    features = Features.fit(plain_tables)
    vectors = np.ones((9, 2), np.float32)
    rec = Recommender(plain_tables, features, vectors[: len(features.users)], vectors)
    assert 3 in rec.where()
    assert rec.where(years=(1900, 2100)).tolist() == [2, 5, 6, 8]


def test_unknown_genre_and_film_are_named(drawn_run):
    with pytest.raises(InputError, match="unknown genre 'Komedy'; expected some of Action"):
        drawn_run.recommender.where(genres=["Komedy"])
    with pytest.raises(InputError, match="unknown movie id 999999"):
        drawn_run.recommender.for_user(3, among=[999999])


def test_group_gets_what_its_least_pleased_member_likes(checkerboard):
    """An even and an odd person agree on nothing; two even ones on the even films."""
    two = [int(USER_IDS[0]), int(USER_IDS[2])]
    films = checkerboard.for_group(two, k=2)
    assert set(films["movie_id"]) <= loved_by(0)
    assert not set(films["movie_id"]) & (
        seen_by(checkerboard, two[0]) | seen_by(checkerboard, two[1])
    )
    torn = checkerboard.for_group([int(USER_IDS[0]), int(USER_IDS[1])], k=3)
    assert torn["score"].max() < films["score"].min()
    mean = checkerboard.for_group(two, k=2, how="mean")
    assert set(mean["movie_id"]) <= loved_by(0)
    with pytest.raises(InputError, match="got 0 users"):
        checkerboard.for_group([])
    with pytest.raises(InputError, match="how='worst'"):
        checkerboard.for_group(two, how="worst")


def test_what_two_films_share_is_told(plain_tables):
    features = Features.fit(plain_tables)
    vectors = np.eye(9, dtype=np.float32)
    rec = Recommender(plain_tables, features, vectors[: len(features.users)], vectors)
    found = rec.shared(2, 3)  # Red Hill, Drama; Red Sea, Comedy and Drama
    assert (found["genres"], found["words"], found["raters"]) == (["Drama"], ["Red"], 1)
    assert found["expected"] == pytest.approx(2 * 2 / 4)
