"""Every mode of recommendation beside plain loops, on a run whose vectors are drawn."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS
from movierec.errors import InputError
from movierec.recommend.recommender import (
    EVEN,
    FANS,
    FANS_LIKING,
    LIKING,
    POPULAR,
    SHORT,
    STEEPNESS,
    Recommender,
    join_scores,
)
from movierec.runs import Run

WEIGHT = {1: 0.5, 2: 0.6, 3: 0.8, 4: 1.0, 5: 1.1}  # of stars in a history
FILMS = list(range(2, 50, 2))  # a film's id is its row
PEOPLE = list(range(3, 93, 3))  # a person's id is three times their row
KNOWN = 0.03

both_kinds = pytest.mark.parametrize("kind", ["drawn_run", "drawn_plain_run"])


@pytest.fixture
def run(kind, request) -> Run:
    return request.getfixturevalue(kind)


# --- a second implementation ---------------------------------------------------------------------


def vector(rec: Recommender, user_id: int) -> np.ndarray:
    row = user_id // 3
    return np.append(rec.user_vectors[row], rec.newcomers.user_rest[row]).astype(float)


def film_vector(rec: Recommender, film: int) -> np.ndarray:
    return np.append(rec.movie_vectors[film], rec.newcomers.movie_rest[film]).astype(float)


def stars_of(rec: Recommender, user_id: int, film: int) -> float:
    return float(vector(rec, user_id) @ film_vector(rec, film))


def clipped(stars: float) -> float:
    return min(max(stars, 1.0), 5.0)


def blend(watch: float, stars: float, liking: float) -> float:
    like = 1 / (1 + math.exp(-STEEPNESS * (stars - EVEN)))
    return max(watch, 1e-6) ** (1 - liking) * like**liking


def watch_of(rec: Recommender, profile: np.ndarray, popular: float, film: int) -> float:
    watching = rec.watching
    toward = float(profile.astype(float) @ watching.movies[film] / watching.own[film])
    return toward + popular * float(watching.liked[film])


def score_of(rec: Recommender, user_id: int, film: int, liking: float = LIKING) -> float:
    stars = stars_of(rec, user_id, film)
    if rec.watching is None:
        return stars
    profile = rec.watching.users[user_id // 3]
    popular = 0.0 if profile.any() else POPULAR
    return blend(watch_of(rec, profile, popular, film), stars, liking)


def seen_of(run: Run, user_id: int) -> dict[int, float]:
    ratings = run.tables.ratings
    mine = ratings[ratings["user_id"] == user_id].sort_values("movie_id")
    return dict(zip(mine["movie_id"].tolist(), mine["rating"].tolist(), strict=True))


def check(frame: pd.DataFrame, expected: dict[int, float], k: int, shown=lambda score: score):
    """The table holds the k best of the expected scores, in their order."""
    best = sorted(expected, key=lambda film: -expected[film])[:k]
    assert frame["movie_id"].tolist() == best
    assert frame["score"].tolist() == pytest.approx(
        [shown(expected[film]) for film in best], rel=1e-3, abs=1e-6
    )


# --- films for users -----------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("user_id", [3, 15, 45, 90])
def test_list_of_a_user_is_the_best_of_what_they_have_not_rated(run, user_id):
    rec = run.recommender
    shown = clipped if rec.watching is None else float
    seen = seen_of(run, user_id)
    expected = {film: score_of(rec, user_id, film) for film in FILMS}
    left = {film: score for film, score in expected.items() if film not in seen}
    assert len(left) < len(FILMS) or user_id == 90
    usual = rec.for_user(user_id)
    check(usual, left, 10, shown)
    check(rec.for_user(user_id, 24, exclude_seen=False), expected, 24, shown)
    among = [film for film in FILMS if film not in usual["movie_id"].tolist()[::2]]
    few = {film: score for film, score in left.items() if film in among}
    check(rec.for_user(user_id, 3, among=among), few, 3, shown)
    columns = ["movie_id", "title", "year", "genres", "score"]
    assert usual.columns.tolist() == columns + ["predicted"] * (rec.watching is not None)
    if rec.watching:
        stars = [clipped(stars_of(rec, user_id, film)) for film in usual["movie_id"]]
        assert usual["predicted"].tolist() == pytest.approx(stars, rel=1e-4)
        for liking in (0.0, 0.7, 1.0):
            moved = {film: score_of(rec, user_id, film, liking) for film in left}
            check(rec.for_user(user_id, 5, liking=liking), moved, 5)


@both_kinds
def test_draws_and_variety_depend_on_what_they_should(run):
    rec = run.recommender
    plain = rec.for_user(90, 5)
    drawn = [rec.for_user(90, 5, 1.0, seed)["movie_id"].tolist() for seed in range(5)]
    assert rec.for_user(90, 5, temperature=1.0, seed=3)["movie_id"].tolist() == drawn[3]
    assert len(set(map(tuple, drawn))) > 1
    varied = rec.for_user(90, 5, variety=1.0)["movie_id"].tolist()
    assert varied[0] == plain["movie_id"][0]
    assert varied != plain["movie_id"].tolist()

    def likeness(films: list[int]) -> float:
        near = rec.near[films]
        return float((near @ near.T)[~np.eye(len(films), dtype=bool)].mean())

    assert likeness(varied) < likeness(plain["movie_id"].tolist())
    for mode in (rec.similar, rec.also_liked):
        films = mode(4, 5)["movie_id"].tolist()
        assert mode(4, 5, variety=1.0)["movie_id"].tolist() != films
        assert mode(4, 5, among=FILMS[5:12])["movie_id"].isin(FILMS[5:12]).all()
        draws = {tuple(mode(4, 5, 2.0, seed)["movie_id"]) for seed in range(6)}
        assert len(draws) > 1
        assert tuple(mode(4, 5, temperature=2.0, seed=1)["movie_id"]) in draws
    group = rec.for_group([3, 90], 3)["movie_id"].tolist()
    assert rec.for_group([3, 90], 3, variety=1.0)["movie_id"].tolist() != group


@both_kinds
@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("block", [256, 4])
def test_lists_of_many_are_those_of_each(run, exclude_seen, block, monkeypatch):
    monkeypatch.setattr("movierec.recommend.recommender.BLOCK", block)
    rec = run.recommender
    asked = [90, 15, 3, 45, 15, 60]
    together = rec.for_users(asked, 6, exclude_seen)
    assert together["user_id"].tolist() == [user for user in asked for _ in range(6)]
    assert together["rank"].tolist() == [1, 2, 3, 4, 5, 6] * 6
    films = rec.for_user(3).columns.tolist()
    assert together.columns.tolist() == ["user_id", "rank", *films]
    for place, user in enumerate(asked):
        mine = together[6 * place : 6 * place + 6].drop(columns=["user_id", "rank"])
        alone = rec.for_user(user, 6, exclude_seen=exclude_seen)
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), alone, rtol=1e-4)
    assert rec.for_users(asked)["rank"].max() == 10
    assert len(rec.for_users(3)) == len(rec.for_user(3))
    assert (rec.for_users(asked, 6)["movie_id"] == rec.for_users(asked, 6, True)["movie_id"]).all()


@both_kinds
def test_lists_by_row_are_those_by_id(run):
    rec = run.recommender
    rows = np.array([1, 5, 15], np.int32)
    best, values = rec.top(rows)
    assert best.shape == values.shape == (3, 10)
    assert (best.dtype, values.dtype) == (np.int64, np.float32)
    for row, films, scores in zip(rows, best, values, strict=True):
        expected = rec.for_user(int(3 * row))
        assert films[films >= 0].tolist() == expected["movie_id"].tolist()
        assert rec.shown(scores[films >= 0]).tolist() == pytest.approx(
            expected["score"].tolist(), rel=1e-4
        )
    everything, values = rec.top(rows, 1000, exclude_seen=False)
    assert everything.shape == (3, 49)
    assert (everything[:, 24:] == -1).all()
    assert np.isneginf(values[:, 24:]).all()
    if rec.watching:
        moved, _ = rec.top(rows, 5, liking=1.0)
        for row, films in zip(rows, moved, strict=True):
            assert films.tolist() == rec.for_user(int(3 * row), 5, liking=1.0)["movie_id"].tolist()
        assert not np.array_equal(moved, best[:, :5])
    scores = rec.scores(rows)
    assert scores.shape == (3, 49)
    for row, mine in zip(rows, scores, strict=True):
        expected = [score_of(rec, int(3 * row), film) for film in FILMS]
        assert mine[FILMS].tolist() == pytest.approx(expected, rel=1e-3)


@both_kinds
@pytest.mark.parametrize("how", ["least misery", "mean"])
def test_group_is_served_by_each_ones_share_of_their_best(run, how):
    rec = run.recommender
    users = [3, 45, 90]
    join = min if how == "least misery" else lambda values: sum(values) / len(values)
    rated = {film for user in users for film in seen_of(run, user)}
    left = [film for film in FILMS if film not in rated]
    assert 0 < len(left) < len(FILMS)
    scores = {user: {film: score_of(rec, user, film) for film in FILMS} for user in users}
    expected = {
        film: join([scores[user][film] / max(scores[user].values()) for user in users])
        for film in left
    }
    found = rec.for_group(users, 3, how)
    check(found, expected, 3)
    persons = rec.for_group([rec.person(3), 45, rec.person(90)], 3, how=how)
    pd.testing.assert_frame_equal(persons, found)
    few = {film: score for film, score in expected.items() if film != found["movie_id"][0]}
    check(rec.for_group(users, 3, how, among=list(few)), few, 3)
    if rec.watching:
        stars = [
            join([clipped(stars_of(rec, user, film)) for user in users])
            for film in found["movie_id"]
        ]
        assert found["predicted"].tolist() == pytest.approx(stars, rel=1e-4)
        scores = {u: {f: score_of(rec, u, f, 1.0) for f in FILMS} for u in users}
        moved = {f: join([scores[u][f] / max(scores[u].values()) for u in users]) for f in left}
        check(rec.for_group(users, 3, how, liking=1.0), moved, 3)
    assert rec.for_group(users)["movie_id"].tolist() == (
        rec.for_group(users, 10, "least misery")["movie_id"].tolist()
    )
    assert len(rec.for_group([90])) == 10


# --- films for films, people for films -----------------------------------------------------------


def words(title: str) -> list[str]:
    return title.rsplit(" (", 1)[0].split()


@both_kinds
def test_similar_films_are_near_and_share_rare_words(run):
    rec = run.recommender
    titles = run.tables.movies.set_index("movie_id")["title"].map(words).to_dict()

    def weights(film: int) -> dict[str, float]:
        having = {w: sum(w in other for other in titles.values()) for w in titles[film]}
        found = {w: titles[film].count(w) * math.log(24 / n) for w, n in having.items()}
        length = math.sqrt(sum(weight**2 for weight in found.values()))
        return {word: weight / length for word, weight in found.items()}

    for film in (2, 14, 48):
        expected = {}
        for other in FILMS:
            near = float(rec.near[film].astype(float) @ rec.near[other])
            if rec.watching:
                own, others = weights(film), weights(other)
                near += KNOWN * sum(own[word] * others.get(word, 0.0) for word in own)
            if other != film:
                expected[other] = near
        check(rec.similar(film), expected, 10)
        check(rec.similar(film, 23), expected, 23)
        assert "predicted" not in rec.similar(film)


@both_kinds
def test_fans_are_those_who_would_give_and_watch_it_most(run):
    rec = run.recommender
    shown = clipped if rec.watching is None else float
    users = run.tables.users.set_index("user_id")
    for film in (4, 30, 48):
        score = {user: score_of(rec, user, film) for user in PEOPLE}
        best = sorted(PEOPLE, key=lambda user: -score[user])
        assert rec.people_who_like(film)["user_id"].tolist() == best[:FANS]
        people = rec.people_who_like(film, 7)
        assert people["user_id"].tolist() == best[:7]
        assert people["score"].tolist() == pytest.approx(
            [shown(score[user]) for user in best[:7]], rel=1e-3
        )
        for person in people.itertuples():
            of = users.loc[person.user_id]
            band = max(n for n, first in enumerate(AGE_BANDS) if first <= of["age"])
            job = ("artist", "baker", "clerk", "doctor")[of["occupation"]]
            assert (person.gender, person.occupation) == (of["gender"], job)
            assert person.age == AGE_BAND_NAMES[band]
            if rec.watching:
                stars = clipped(stars_of(rec, person.user_id, film))
                assert person.predicted == pytest.approx(stars, rel=1e-4)
        assert len(rec.people_who_like(film, 1000)) == 30

        fans = best[:FANS]
        mean = {
            other: float(np.mean([clipped(stars_of(rec, user, other)) for user in fans]))
            for other in FILMS
            if other != film
        }
        expected = mean
        if rec.watching:
            profile = rec.watching.movies[film]
            expected = {
                other: blend(watch_of(rec, profile, 0.0, other), stars, FANS_LIKING)
                for other, stars in mean.items()
            }
        found = rec.also_liked(film)
        check(found, expected, 10)
        if rec.watching:
            assert found["predicted"].tolist() == pytest.approx(
                [mean[other] for other in found["movie_id"]], rel=1e-4
            )
        check(rec.also_liked(film, 23), expected, 23)


# --- who, and what they have seen ----------------------------------------------------------------


@both_kinds
def test_person_of_the_data_is_what_the_run_knows_of_them(run):
    rec = run.recommender
    for user_id in (3, 15, 90):
        person = rec.person(user_id)
        row = user_id // 3
        assert (person.name, person.user_idx) == (f"user {user_id}", row)
        assert person.base is None
        assert person.parts is None
        assert person.vector == pytest.approx(vector(rec, user_id))
        rated = dict(zip(person.rated.tolist(), person.stars.tolist(), strict=True))
        assert rated == seen_of(run, user_id)
        assert person.rated.tolist() == sorted(rated)
        if rec.watching is None:
            assert (person.profile, person.popular) == (None, 0.0)
        else:
            assert np.array_equal(person.profile, rec.watching.users[row])
            assert person.popular == pytest.approx(POPULAR if user_id in (15, 90) else 0.0)


@both_kinds
def test_somebody_new_is_their_ratings_and_nobody_has_popular_films(run):
    rec = run.recommender
    given = {20: 3.0, 2: 5.0, 8: 1.0}
    person = rec.new_user(given, "F", 25, 1)
    assert person.name == "you"
    assert person.user_idx is None
    assert person.rated.tolist() == [2, 8, 20]
    assert person.stars.tolist() == [5.0, 1.0, 3.0]
    assert person.stars.dtype == np.float32
    assert person.vector == pytest.approx(person.base + person.parts.sum(axis=0), abs=1e-4)
    nobody = rec.new_user()
    assert len(nobody.rated) == len(nobody.stars) == 0
    if rec.watching is None:
        assert person.profile is None
        assert person.popular == nobody.popular == 0.0
        return
    profile = sum(WEIGHT[int(stars)] * rec.watching.movies[film] for film, stars in given.items())
    assert person.profile == pytest.approx(profile, abs=1e-5)
    assert person.popular == pytest.approx(POPULAR * SHORT / (SHORT + 3))
    assert nobody.popular == pytest.approx(POPULAR)
    assert not nobody.profile.any()
    expected = {
        film: blend(
            watch_of(rec, person.profile, person.popular, film),
            float(person.vector.astype(float) @ film_vector(rec, film)),
            LIKING,
        )
        for film in FILMS
        if film not in given
    }
    check(rec.for_user(person, 5), expected, 5)
    told = {"gender": "F", "age": 25, "occupation": 1}
    pd.testing.assert_frame_equal(rec.for_new_user(given, **told), rec.for_user(person))
    pd.testing.assert_frame_equal(
        rec.for_new_user(given, "F", 25, 1, 4, exclude_seen=False),
        rec.for_user(person, 4, exclude_seen=False),
    )
    for what in told:
        less = rec.new_user(given, **{key: told[key] for key in told if key != what})
        assert not np.array_equal(less.vector, person.vector)


@both_kinds
@pytest.mark.parametrize("stars", [0.5, 5.5, float("nan")])
def test_stars_that_the_data_does_not_have_are_refused(run, stars):
    with pytest.raises(InputError, match=f"got a rating of {stars:g}; expected 1 to 5 stars"):
        run.recommender.new_user({4: 3, 2: stars})
    assert run.recommender.new_user({4: 1, 2: 5}).stars.tolist() == [5, 1]


@both_kinds
def test_what_was_seen_learned_and_by_whom(run):
    rec, ratings = run.recommender, run.tables.ratings
    learned = ratings[run.part == "train"]
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
    bare = Recommender(rec.tables, rec.features, rec.user_vectors, rec.movie_vectors)
    assert bare.seen(1, learned_only=True)[0].tolist() == bare.seen(1)[0].tolist()


@both_kinds
def test_predictions_are_products_within_the_stars(run):
    rec = run.recommender
    expected = [clipped(stars_of(rec, 45, film)) for film in FILMS]
    assert 0 < sum(stars in (1.0, 5.0) for stars in expected) < len(expected)
    found = rec.predict([45] * len(FILMS), FILMS)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    assert rec.predict_for(rec.person(45), FILMS).tolist() == pytest.approx(expected, rel=1e-4)
    assert rec.predict(45, 4).tolist() == pytest.approx([clipped(stars_of(rec, 45, 4))])
    assert rec.predict_for(rec.person(45), 4).shape == (1,)
    rows = np.array([15] * len(FILMS)), np.array(FILMS)
    assert rec.stars(*rows).tolist() == pytest.approx(expected, rel=1e-4)
    for pairs in (([[3, 6]], [[2, 4]]), ([3], [2, 4])):
        with pytest.raises(InputError, match="expected two lists of the same length"):
            rec.predict(*pairs)


def test_profiles_and_watched_say_how_likely_a_film_is_watched(drawn_run):
    rec = drawn_run.recommender
    assert rec.profiles.shape == (31, 5)
    assert rec.watched.shape == (49, 5)
    found = rec.profiles @ rec.watched.T
    for user in (1, 5, 30):
        profile = rec.watching.users[user]
        popular = 0.0 if profile.any() else POPULAR
        expected = [watch_of(rec, profile, popular, film) for film in FILMS]
        assert found[user, FILMS].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("stars", "expected"),
    [
        ([1, 5, 3], [1, 2, 3, 4, 5]),
        ([2, 4], [2, 3, 4]),
        ([0.5, 3, 2], [0.5, 1, 1.5, 2, 2.5, 3]),
        ([3], [3]),
    ],
)
def test_stars_that_can_be_given(drawn_plain_run, stars, expected):
    rec = drawn_plain_run.recommender
    ratings = rec.tables.ratings.head(len(stars)).assign(rating=np.array(stars, np.float32))
    tables = rec.tables.__class__(rec.tables.users, rec.tables.movies, ratings)
    found = Recommender(tables, rec.features, rec.user_vectors, rec.movie_vectors)
    assert found.star_values == expected
    assert (found.lowest, found.highest) == (expected[0], expected[-1])


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
    {"allow": FILMS[3:9]},
    {"deny": FILMS[3:9]},
    {"allow": FILMS[3:9], "deny": FILMS[5:20]},
    {"allow": FILMS[3:9], "genres": ["Comedy"]},
    {"allow": FILMS[3:9], "years": (1950, None)},
    {"deny": FILMS[3:9], "ratings": (10, None)},
    {"allow": []},
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
        met = met and film.movie_id in asked.get("allow", FILMS)
        met = met and film.movie_id not in asked.get("deny", ())
        if met:
            expected.append(film.movie_id)
    assert drawn_run.recommender.where(**asked).tolist() == expected
    assert len(expected) < len(FILMS) or not asked


def test_first_of_several_unknown_genres_is_named_beside_the_known_ones(drawn_run):
    known = "expected some of Action, Comedy, Drama, War$"
    for asked in ({"genres": ["Xy", "Ab", "War"]}, {"without": ["Xy", "Ab"]}):
        with pytest.raises(InputError, match=f"^unknown genre 'Ab'; {known}"):
            drawn_run.recommender.where(**asked)
    with pytest.raises(InputError, match="^unknown genre ''"):
        drawn_run.recommender.where(genres=[""])


def test_films_in_words_stand_in_the_order_asked(drawn_run, drawn_plain_run):
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
    plain = drawn_plain_run.recommender.describe(np.array([4]), None, np.array([3.0]))
    assert "predicted" not in plain
    assert rec.title(30) == movies.loc[30, "title"]
    assert rec.movie_id(movies.loc[30, "title"]) == 30
    assert len(rec.find("Sea")) == 10
    assert len(rec.find("Sea", 3)) == 3


# --- the balance, and what is refused ------------------------------------------------------------


def test_balance_of_watching_and_liking_by_its_formula():
    watch = np.array([0.5, 2.0, 0.0, -3.0, 1.0], np.float32)
    taste = np.array([3.5, 5.0, 1.0, 4.0, -200.0], np.float32)
    for liking in (0.0, 0.25, 1.0):
        found = join_scores(watch, taste, liking)
        expected = []
        for w, t in zip(watch.tolist(), taste.tolist(), strict=True):
            # far below any rating the chance is as good as nothing
            like = math.exp(-min(STEEPNESS * (EVEN - t), 80))
            like = 1 / (1 + 1 / like)
            expected.append(max(w, 1e-6) ** (1 - liking) * like**liking)
        assert np.isfinite(found).all()
        assert found.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-30)
    assert np.array_equal(join_scores(watch, taste), join_scores(watch, taste, LIKING))
    assert all(a < b for a, b in pairwise(join_scores(np.ones(5), np.arange(5.0), 1.0).tolist()))
    for liking in (-0.01, 1.01):
        with pytest.raises(InputError, match=f"got liking {liking}; expected 0 .* to 1"):
            join_scores(watch, taste, liking)


@pytest.mark.parametrize(
    ("part", "name", "kind"),
    [
        ("watching", "users", "users' profiles"),
        ("watching", "movies", "films' profiles"),
        ("newcomers", "user_rest", "users' rest"),
        ("newcomers", "movie_rest", "films' rest"),
    ],
)
@pytest.mark.parametrize("shape", [(7, 2), (31,), (49,)])
def test_parts_of_another_size_are_refused(drawn_run, part, name, kind, shape):
    rec = drawn_run.recommender
    parts = {"newcomers": rec.newcomers, "watching": rec.watching}
    parts[part] = parts[part]._replace(**{name: np.zeros(shape, np.float32)})
    with pytest.raises(InputError, match=f"the {kind} have shape .*; expected"):
        Recommender(rec.tables, rec.features, rec.user_vectors, rec.movie_vectors, **parts)


def test_users_and_films_need_vectors_of_the_same_length(drawn_run):
    rec = drawn_run.recommender
    with pytest.raises(InputError, match="user vectors have 3 entries and movie vectors 2; exp"):
        Recommender(rec.tables, rec.features, rec.user_vectors, rec.movie_vectors[:, :2])


def test_growing_keeps_the_same_recommender(write_drawn_run, tmp_path):
    rec = write_drawn_run(tmp_path / "run").recommender
    rec.for_user(3)  # what is worked out once is worked out again
    new = pd.DataFrame({"title": ["Sea (1999)"], "genres": ["Drama"]})
    assert rec.add_movies(new) is rec
    assert rec.title(49) == "Sea (1999)"
    assert 49 in rec.for_user(3, 1000)["movie_id"].tolist()
    ratings = pd.DataFrame({"user_id": [90], "movie_id": [4], "rating": [5.0]})
    assert rec.add_ratings(ratings) is rec
    assert rec.seen(30)[0].tolist() == [4]
    users = pd.DataFrame({"user_id": [93], "gender": ["F"], "age": [25], "occupation": [1]})
    assert rec.add_ratings(ratings.assign(user_id=93), users) is rec
    assert rec.seen(31)[0].tolist() == [4]
    assert 4 not in rec.for_user(93, 1000)["movie_id"].tolist()


def test_ids_of_0_are_people_and_films(write_drawn_run, tmp_path):
    rec = write_drawn_run(tmp_path / "run", ids_from=0).recommender
    assert set(rec.people_who_like(0, 1000)["user_id"]) == set(range(0, 90, 3))
    assert set(rec.similar(2, 1000)["movie_id"]) == set(range(0, 48, 2)) - {2}
    assert 0 in rec.for_user(0, 1000, exclude_seen=False)["movie_id"].tolist()
    assert 0 in rec.where().tolist()
    assert 0 in rec.for_users([0], 1000, exclude_seen=False)["movie_id"].tolist()
