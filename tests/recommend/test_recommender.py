"""Every mode of recommendation beside plain loops, on a run whose vectors are drawn."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from worlds import drawn_model, write_drawn_run

from movierec.data.attributes import movie_attributes
from movierec.data.features import Features
from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS
from movierec.errors import InputError
from movierec.models.implicit import RIDGE, UNRATED
from movierec.models.watching import POPULAR, SHARE, SHORT
from movierec.recommend.recommender import FANS, FANS_LIKING, Recommender
from movierec.recommend.scorer import EVEN, LIKING, STEEPNESS, join_scores
from movierec.runs import Run

WEIGHT = {1: 0.5, 2: 0.6, 3: 0.8, 4: 1.0, 5: 1.1}  # of stars in a history
FILMS = list(range(2, 50, 2))  # a film's id is its row
PEOPLE = list(range(3, 93, 3))  # a person's id is three times their row
KNOWN, TITLE = 0.01, 0.02
COLUMNS = ["movie_id", "title", "year", "genres", "score", "predicted"]
SURE = ["std", "chance"]  # of a list for one person

# --- a second implementation ---------------------------------------------------------------------


def stars_of(rec: Recommender, user_id: int, film: int) -> float:
    return float(rec.model.users[user_id // 3].astype(float) @ rec.model.films[film].astype(float))


def clipped(stars: float) -> float:
    return min(max(stars, 1.0), 5.0)


def blend(watch: float, stars: float, liking: float) -> float:
    like = 1 / (1 + math.exp(-STEEPNESS * (stars - EVEN)))
    return max(watch, 1e-6) ** (1 - liking) * like**liking


def watch_of(rec: Recommender, profile: np.ndarray, film: int) -> float:
    return float(profile.astype(float) @ rec.model.watching.watched[film].astype(float))


def profile_by_hand(rec: Recommender, films: dict[int, float]) -> np.ndarray:
    """The profile of somebody with these ratings, without what everybody watches."""
    watching, k = rec.model.watching, 2
    weights = [WEIGHT[int(stars)] for stars in films.values()]
    rated = watching.watched[list(films), :-1]
    vectors = rated[:, :-k] * watching.own[list(films), None]
    factors = rated[:, -k:]
    square = watching.unseen + RIDGE * len(films) * np.eye(k)
    for weight, each in zip(weights, factors, strict=True):
        square += weight * np.outer(each, each)
    found = np.linalg.solve(square, np.add(weights, UNRATED) @ factors)
    counting = SHARE * len(films) / (len(films) + SHORT)
    return np.concatenate([weights @ vectors, counting * found, [0.0]])


def score_of(rec: Recommender, user_id: int, film: int, liking: float = LIKING) -> float:
    profile = rec.model.watching.profiles[user_id // 3]
    return blend(watch_of(rec, profile, film), stars_of(rec, user_id, film), liking)


def seen_of(run: Run, user_id: int) -> dict[int, float]:
    ratings = run.tables.ratings
    mine = ratings[ratings["user_id"] == user_id].sort_values("movie_id")
    return dict(zip(mine["movie_id"].tolist(), mine["rating"].tolist(), strict=True))


def check(frame: pd.DataFrame, expected: dict[int, float], k: int):
    """The table holds the k best of the expected scores, in their order."""
    best = sorted(expected, key=lambda film: -expected[film])[:k]
    assert frame["movie_id"].tolist() == best
    assert frame["score"].tolist() == pytest.approx(
        [expected[film] for film in best], rel=1e-3, abs=1e-6
    )


# --- films for users -----------------------------------------------------------------------------


@pytest.mark.parametrize("user_id", [3, 15, 45, 90])
def test_list_of_a_user_is_the_best_of_what_they_have_not_rated(drawn_run, user_id):
    rec = drawn_run.recommender
    seen = seen_of(drawn_run, user_id)
    expected = {film: score_of(rec, user_id, film) for film in FILMS}
    left = {film: score for film, score in expected.items() if film not in seen}
    assert len(left) < len(FILMS) or user_id == 90
    usual = rec.for_user(user_id)
    assert usual.columns.tolist() == COLUMNS + SURE
    assert usual.index.tolist() == list(range(len(usual)))
    check(usual, left, 10)
    check(rec.for_user(user_id, 1000, exclude_seen=False), expected, 24)
    among = [film for film in FILMS if film not in usual["movie_id"].tolist()[::2]]
    few = {film: score for film, score in left.items() if film in among}
    check(rec.for_user(user_id, 3, among=among), few, 3)
    stars = [clipped(stars_of(rec, user_id, film)) for film in usual["movie_id"]]
    assert usual["predicted"].tolist() == pytest.approx(stars, rel=1e-4)
    for liking in (0.0, 0.7, 1.0):
        moved = {film: score_of(rec, user_id, film, liking) for film in left}
        check(rec.for_user(user_id, 5, liking=liking), moved, 5)


def test_by_stars_alone_films_stand_in_the_order_of_predicted_stars(drawn_run):
    rec = drawn_run.recommender
    for user_id in PEOPLE:
        found = rec.for_user(user_id, 24, exclude_seen=False, liking=1.0)["movie_id"].tolist()
        assert found == sorted(FILMS, key=lambda film: -stars_of(rec, user_id, film))


def test_draws_and_variety_depend_on_what_they_should(drawn_run):
    rec = drawn_run.recommender
    plain = rec.for_user(90, 5)
    drawn = [rec.for_user(90, 5, 1.0, seed)["movie_id"].tolist() for seed in range(5)]
    assert rec.for_user(90, 5, temperature=1.0, seed=3)["movie_id"].tolist() == drawn[3]
    assert len(set(map(tuple, drawn))) > 1
    varied = rec.for_user(90, 5, variety=1.0)["movie_id"].tolist()
    assert varied[0] == plain["movie_id"][0]
    assert varied != plain["movie_id"].tolist()

    def likeness(films: list[int]) -> float:
        return float(np.mean([rec.likeness(a)[[b for b in films if b != a]] for a in films]))

    assert likeness(varied) < likeness(plain["movie_id"].tolist())
    for mode in (rec.similar, rec.also_liked):
        films = mode(4, 5)["movie_id"].tolist()
        assert mode(4, 5, variety=1.0)["movie_id"].tolist() != films
        assert mode(4, 5, among=FILMS[5:12])["movie_id"].isin(FILMS[5:12]).all()
        draws = {tuple(mode(4, 5, temperature=2.0, seed=seed)["movie_id"]) for seed in range(6)}
        assert len(draws) > 1
        assert tuple(mode(4, 5, temperature=2.0, seed=1)["movie_id"]) in draws
        assert mode(4, 5, seed=1)["movie_id"].tolist() == films  # nothing is drawn
    group = rec.for_group([3, 90], 3)["movie_id"].tolist()
    assert rec.for_group([3, 90], 3, variety=1.0)["movie_id"].tolist() != group
    seen = seen_of(drawn_run, 3)
    for seed in range(20):
        found = rec.for_user(3, 3, temperature=9.0, seed=seed)
        assert not set(found["movie_id"]) & set(seen)
        assert found["score"].is_monotonic_decreasing


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("block", [256, 4])
def test_lists_of_many_are_those_of_each(drawn_run, exclude_seen, block, monkeypatch):
    monkeypatch.setattr("movierec.vectors.USERS", block)
    rec = drawn_run.recommender
    asked = [90, 15, 3, 45, 15, 60]
    found = rec.for_users(asked, 6, exclude_seen)
    assert found["user_id"].tolist() == [user for user in asked for _ in range(6)]
    assert found["rank"].tolist() == [1, 2, 3, 4, 5, 6] * 6
    assert found.columns.tolist() == ["user_id", "rank", *COLUMNS]
    for place, user in enumerate(asked):
        mine = found[6 * place : 6 * place + 6].drop(columns=["user_id", "rank"])
        alone = rec.for_user(user, 6, exclude_seen=exclude_seen).drop(columns=SURE)
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), alone, rtol=1e-4)
    assert rec.for_users(asked)["rank"].max() == 10
    assert len(rec.for_users(3)) == len(rec.for_user(3))
    assert (rec.for_users(asked, 6)["movie_id"] == rec.for_users(asked, 6, True)["movie_id"]).all()
    nobody = rec.for_users([])
    assert len(nobody) == 0
    assert nobody.columns.tolist() == found.columns.tolist()


def test_lists_by_row_are_those_by_id(drawn_run):
    rec = drawn_run.recommender
    rows = np.array([1, 5, 15], np.int32)
    best, values = rec.top(rows)
    assert best.shape == values.shape == (3, 10)
    assert (best.dtype, values.dtype) == (np.int64, np.float32)
    for row, films, scores in zip(rows, best, values, strict=True):
        expected = rec.for_user(int(3 * row))
        assert films[films >= 0].tolist() == expected["movie_id"].tolist()
        assert scores[films >= 0].tolist() == pytest.approx(expected["score"].tolist(), rel=1e-4)
    everything, values = rec.top(rows, 1000, exclude_seen=False)
    assert everything.shape == (3, 49)
    assert (everything[:, 24:] == -1).all()
    assert np.isneginf(values[:, 24:]).all()
    moved, _ = rec.top(rows, 5, liking=1.0)
    for row, films in zip(rows, moved, strict=True):
        assert films.tolist() == rec.for_user(int(3 * row), 5, liking=1.0)["movie_id"].tolist()
    assert not np.array_equal(moved, best[:, :5])
    for liking in (LIKING, 0.9):
        scores = rec.scorer.scores(rows, None if liking == LIKING else liking)
        assert scores.shape == (3, 49)
        for row, mine in zip(rows, scores, strict=True):
            expected = [score_of(rec, int(3 * row), film, liking) for film in FILMS]
            assert mine[FILMS].tolist() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("how", ["least misery", "mean"])
def test_group_is_served_by_each_ones_share_of_their_best(drawn_run, how):
    rec = drawn_run.recommender
    users = [3, 45, 90]
    join = min if how == "least misery" else lambda values: sum(values) / len(values)
    rated = {film for user in users for film in seen_of(drawn_run, user)}
    left = [film for film in FILMS if film not in rated]
    assert 0 < len(left) < len(FILMS)

    def joined(liking: float) -> dict[int, float]:
        scores = {u: {f: score_of(rec, u, f, liking) for f in FILMS} for u in users}
        return {f: join([scores[u][f] / max(scores[u].values()) for u in users]) for f in left}

    expected = joined(LIKING)
    found = rec.for_group(users, 3, how)
    assert found.columns.tolist() == COLUMNS
    check(found, expected, 3)
    persons = rec.for_group([rec.person(3), 45, rec.person(90)], 3, how=how)
    pd.testing.assert_frame_equal(persons, found)
    few = {film: score for film, score in expected.items() if film != found["movie_id"][0]}
    check(rec.for_group(users, 3, how, among=list(few)), few, 3)
    stars = [
        join([clipped(stars_of(rec, user, film)) for user in users]) for film in found["movie_id"]
    ]
    assert found["predicted"].tolist() == pytest.approx(stars, rel=1e-4)
    check(rec.for_group(users, 3, how, liking=1.0), joined(1.0), 3)
    assert rec.for_group(users)["movie_id"].tolist() == (
        rec.for_group(users, 10, "least misery")["movie_id"].tolist()
    )
    assert len(rec.for_group([90])) == 10


# --- films for films, people for films -----------------------------------------------------------


def words(title: str) -> list[str]:
    return title.rsplit(" (", 1)[0].split()


def test_similar_films_are_near_and_share_rare_words(drawn_run):
    rec = drawn_run.recommender
    titles = drawn_run.tables.movies.set_index("movie_id")["title"].map(words).to_dict()

    def weights(film: int) -> dict[str, float]:
        having = {w: sum(w in other for other in titles.values()) for w in titles[film]}
        found = {w: titles[film].count(w) * math.log(24 / n) for w, n in having.items()}
        length = math.sqrt(sum(weight**2 for weight in found.values()))
        return {word: weight / length for word, weight in found.items()}

    kinds = movie_attributes(rec.features).astype(float)
    kinds -= kinds[FILMS].mean(axis=0)
    kinds /= np.linalg.norm(kinds, axis=1, keepdims=True)
    watching = rec.model.watching
    together = np.zeros((49, 49))
    np.put_along_axis(together, watching.neighbours, watching.correlation, axis=1)
    for film in (2, 14, 48):
        expected = {}
        own = weights(film)
        for other in FILMS:
            known = float(kinds[film] @ kinds[other])
            near = together[film, other] * (1 + known) + KNOWN * known
            others = weights(other)
            near += TITLE * sum(own[word] * others.get(word, 0.0) for word in own)
            if other != film:
                expected[other] = near
        check(rec.similar(film), expected, 10)
        check(rec.similar(film, 1000), expected, 23)
        assert rec.similar(film).columns.tolist() == COLUMNS[:-1]


def test_fans_are_those_who_would_give_and_watch_it_most(drawn_run):
    rec = drawn_run.recommender
    users = drawn_run.tables.users.set_index("user_id")
    for film in (4, 30, 48):
        score = {user: score_of(rec, user, film) for user in PEOPLE}
        best = sorted(PEOPLE, key=lambda user: -score[user])
        assert rec.people_who_like(film)["user_id"].tolist() == best[:FANS]
        people = rec.people_who_like(film, 7)
        about = ["user_id", "gender", "age", "occupation", "score", "predicted"]
        assert people.columns.tolist() == about
        assert people["user_id"].tolist() == best[:7]
        assert people["score"].tolist() == pytest.approx([score[u] for u in best[:7]], rel=1e-3)
        for person in people.itertuples():
            of = users.loc[person.user_id]
            band = max(n for n, first in enumerate(AGE_BANDS) if first <= of["age"])
            job = ("artist", "baker", "clerk", "doctor")[of["occupation"]]
            assert (person.gender, person.occupation) == (of["gender"], job)
            assert person.age == AGE_BAND_NAMES[band]
            stars = clipped(stars_of(rec, person.user_id, film))
            assert person.predicted == pytest.approx(stars, rel=1e-4)
        assert len(rec.people_who_like(film, 1000)) == 30

        mean = {
            other: float(np.mean([clipped(stars_of(rec, user, other)) for user in best[:FANS]]))
            for other in FILMS
            if other != film
        }
        profile = profile_by_hand(rec, {film: 4})
        profile[-3:] = 0  # the factors of one film say little
        expected = {
            other: blend(watch_of(rec, profile, other), stars, FANS_LIKING)
            for other, stars in mean.items()
        }
        found = rec.also_liked(film)
        check(found, expected, 10)
        assert found.columns.tolist() == COLUMNS
        assert found["predicted"].tolist() == pytest.approx(
            [mean[other] for other in found["movie_id"]], rel=1e-4
        )
        check(rec.also_liked(film, 1000), expected, 23)


def test_films_that_nobody_liked_are_not_what_people_also_like(drawn_run):
    old = drawn_run.recommender
    for liked, told in ((FILMS[:3], FILMS[1:3]), ([], FILMS[1:])):  # or all, if nobody likes any
        watched = old.model.watching.watched.copy()
        watched[:, -1] = 0
        watched[old.features.movies.encode(liked), -1] = 0.5
        watching = old.model.watching._replace(watched=watched)
        rec = Recommender(old.tables, old.features, old.model._replace(watching=watching))
        assert set(rec.also_liked(FILMS[0], 1000)["movie_id"]) == set(told)


def test_people_of_data_without_demographics_are_shown_by_id_alone(plain_tables):
    features = Features.fit(plain_tables)
    rec = Recommender(plain_tables, features, drawn_model(features))
    people = rec.people_who_like(2, k=9)
    assert people.columns.tolist() == ["user_id", "score", "predicted"]
    assert set(people["user_id"]) == {1, 2, 4, 6}
    assert set(rec.for_user(6)["movie_id"]) == {2, 3, 5, 6}
    assert rec.for_group([1, 2])["movie_id"].tolist() in ([6, 8], [8, 6])
    assert set(rec.for_user(rec.new_user({2: 4.0}))["movie_id"]) == {3, 5, 6, 8}


# --- who -----------------------------------------------------------------------------------------


def test_person_of_the_data_is_what_the_run_knows_of_them(drawn_run):
    rec = drawn_run.recommender
    for user_id in (3, 15, 90):
        person = rec.person(user_id)
        row = user_id // 3
        assert (person.name, person.user_idx) == (f"user {user_id}", row)
        assert person.new is None
        assert np.array_equal(person.vector, rec.model.users[row])
        assert np.array_equal(person.profile, rec.model.watching.profiles[row])
        rated = dict(zip(person.rated.tolist(), person.stars.tolist(), strict=True))
        assert rated == seen_of(drawn_run, user_id)
        assert person.rated.tolist() == sorted(rated)


def test_somebody_new_is_their_ratings_and_nobody_has_popular_films(drawn_run):
    rec = drawn_run.recommender
    given = {20: 3.0, 2: 5.0, 8: 1.0}
    person = rec.new_user(given, "F", 25, 1)
    assert (person.name, person.user_idx) == ("you", -1)
    assert person.rated.tolist() == [2, 8, 20]
    assert person.stars.tolist() == [5.0, 1.0, 3.0]
    assert person.stars.dtype == np.float32
    assert person.vector == pytest.approx(person.new.base + person.new.parts.sum(0), abs=1e-4)
    nobody = rec.new_user()
    assert len(nobody.rated) == len(nobody.stars) == 0
    profile = profile_by_hand(rec, given)
    assert person.profile[:-1] == pytest.approx(profile[:-1], abs=1e-5)
    assert person.profile[-1] == pytest.approx(POPULAR * SHORT / (SHORT + 3))
    assert nobody.profile.tolist() == pytest.approx([0, 0, 0, 0, 0, 0, POPULAR])
    expected = {
        film: blend(
            watch_of(rec, person.profile, film),
            float(person.vector.astype(float) @ rec.model.films[film]),
            LIKING,
        )
        for film in FILMS
        if film not in given
    }
    check(rec.for_user(person, 5), expected, 5)
    told = {"gender": "F", "age": 25, "occupation": 1}
    for what in told:
        less = rec.new_user(given, **{key: told[key] for key in told if key != what})
        assert not np.array_equal(less.vector, person.vector)


@pytest.mark.parametrize("stars", [0.5, 5.5, float("nan")])
def test_stars_that_the_data_does_not_have_are_refused(drawn_run, stars):
    with pytest.raises(InputError, match=f"got a rating of {stars:g}; expected 1 to 5 stars"):
        drawn_run.recommender.new_user({4: 3, 2: stars})
    assert drawn_run.recommender.new_user({4: 1, 2: 5}).stars.tolist() == [5, 1]


def test_who_has_rated_everything_is_shown_nothing(drawn_run):
    rec = drawn_run.recommender
    everything = rec.new_user(dict.fromkeys(FILMS, 3.0))
    for temperature in (0.0, 1.0):
        found = rec.for_user(everything, temperature=temperature, seed=0)
        assert len(found) == 0
        assert found.columns.tolist() == COLUMNS + SURE
    rest = [film for film in FILMS if film not in seen_of(drawn_run, 3)]
    rated = rec.add_ratings(pd.DataFrame({"user_id": 3, "movie_id": rest, "rating": 3.0}))
    assert rated.for_users([3, 6], k=2)["user_id"].tolist() == [6, 6]


def test_predictions_are_products_within_the_stars(drawn_run):
    rec = drawn_run.recommender
    expected = [clipped(stars_of(rec, 45, film)) for film in FILMS]
    assert 0 < sum(stars in (1.0, 5.0) for stars in expected) < len(expected)
    found = rec.predict([45] * len(FILMS), FILMS)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    assert rec.predict(rec.person(45), FILMS).tolist() == pytest.approx(expected, rel=1e-4)
    assert rec.predict(45, 4).tolist() == pytest.approx([clipped(stars_of(rec, 45, 4))])
    assert rec.predict(rec.person(45), 4).shape == (1,)
    assert rec.predict([], []).tolist() == []
    rows = np.array([15] * len(FILMS)), np.array(FILMS)
    assert rec.scorer.stars(*rows).tolist() == pytest.approx(expected, rel=1e-4)
    for pairs in (([[3, 6]], [[2, 4]]), ([3], [2, 4])):
        with pytest.raises(InputError, match="expected two lists of the same length"):
            rec.predict(*pairs)


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


def test_balance_out_of_range_is_refused_by_every_mode_that_has_one(drawn_run):
    rec = drawn_run.recommender
    for ask in (
        lambda: rec.for_user(3, liking=2),
        lambda: rec.for_group([3], liking=2),
        lambda: rec.top(np.array([1]), liking=2),
    ):
        with pytest.raises(InputError, match="got liking 2; expected 0"):
            ask()


MODES = ["for_user", "for_users", "similar", "also_liked", "people_who_like", "for_group"]
ASKED = {
    "for_user": lambda rec, ident: rec.for_user(ident),
    "for_users": lambda rec, ident: rec.for_users([3, ident]),
    "for_group": lambda rec, ident: rec.for_group([3, ident]),
    "predict's user": lambda rec, ident: rec.predict([ident], [2]),
    "similar": lambda rec, ident: rec.similar(ident),
    "also_liked": lambda rec, ident: rec.also_liked(ident),
    "people_who_like": lambda rec, ident: rec.people_who_like(ident),
    "predict's movie": lambda rec, ident: rec.predict([3], [ident]),
    "among": lambda rec, ident: rec.for_user(3, among=[ident]),
    "deny": lambda rec, ident: rec.where(deny=[ident]),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_unknown_id_is_named(drawn_run, ask):
    for ident in (0, 1, -1, 10**9, 2.5):  # the free row, a gap, beyond, and what is none
        with pytest.raises(InputError, match=rf"unknown (user|movie) id {ident}; expected one of"):
            ask(drawn_run.recommender, ident)


@pytest.mark.parametrize("method", MODES)
def test_number_of_films_is_a_whole_number_above_0(drawn_run, method):
    known = {"for_user": 3, "for_users": [3], "for_group": [3]}.get(method, 2)
    for k in (0, -1, 2.0, "3"):
        with pytest.raises(InputError, match=f"got k = {k!r}; expected a whole number"):
            getattr(drawn_run.recommender, method)(known, k=k)


def test_groups_of_nobody_and_other_ways_to_join_are_refused(drawn_run):
    with pytest.raises(InputError, match="got 0 users"):
        drawn_run.recommender.for_group([])
    with pytest.raises(
        InputError, match="how='worst'; expected at least one user, and one of least m"
    ):
        drawn_run.recommender.for_group([3], how="worst")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("stars", "users"),
        ("stars", "films"),
        ("watching", "profiles"),
        ("watching", "watched"),
        ("watching", "own"),
        ("watching", "neighbours"),
        ("watching", "correlation"),
        ("newcomers", "history"),
        ("newcomers", "tower"),
        ("newcomers", "covariance"),
        ("newcomers", "movie_tower"),
        ("certainty", "by_stars"),
        ("certainty", "chance"),
    ],
)
@pytest.mark.parametrize("cut", [np.s_[1:], np.s_[..., None]])
def test_model_of_another_shape_is_refused(drawn_run, part, name, cut):
    rec = drawn_run.recommender
    if part == "stars":
        model = rec.model._replace(**{name: getattr(rec.model, name)[cut]})
    else:
        whole = getattr(rec.model, part)
        model = rec.model._replace(**{part: whole._replace(**{name: getattr(whole, name)[cut]})})
    with pytest.raises(InputError, match="has shape .*; expected") as refused:
        Recommender(rec.tables, rec.features, model)
    if cut == np.s_[1:]:
        assert f"{part}: {name} has shape" in str(refused.value)


def test_certainty_without_knots_is_refused(drawn_run):
    rec, none = drawn_run.recommender, np.zeros(0, np.float32)
    certainty = rec.model.certainty._replace(knots=none, by_stars=none)
    with pytest.raises(InputError, match=r"knots has shape \(0,\); expected \(1,\)"):
        Recommender(rec.tables, rec.features, rec.model._replace(certainty=certainty))


@pytest.mark.parametrize("row", [-1, 49])
def test_neighbours_that_are_no_films_are_refused(drawn_run, row):
    rec = drawn_run.recommender
    rows = rec.model.watching.neighbours.copy()
    rows[3, 1] = row
    watching = rec.model.watching._replace(neighbours=rows)
    with pytest.raises(InputError, match="rows that are none of the 49"):
        Recommender(rec.tables, rec.features, rec.model._replace(watching=watching))


def test_growing_gives_another_recommender(drawn_run):
    rec = drawn_run.recommender
    rec.for_user(3)  # what is worked out once is worked out again
    new = pd.DataFrame({"title": ["Sea (1999)"], "genres": ["Drama"]})
    with_film = rec.add_movies(new)
    assert with_film.title(49) == "Sea (1999)"
    assert 49 in with_film.for_user(3, 1000)["movie_id"].tolist()
    ratings = pd.DataFrame({"user_id": [90], "movie_id": [4], "rating": [5.0]})
    rated = with_film.add_ratings(ratings)
    assert rated.seen(30)[0].tolist() == [4]
    users = pd.DataFrame({"user_id": [93], "gender": ["F"], "age": [25], "occupation": [1]})
    joined = rated.add_ratings(ratings.assign(user_id=93), users)
    assert joined.seen(31)[0].tolist() == [4]
    assert 4 not in joined.for_user(93, 1000)["movie_id"].tolist()
    assert 49 in joined.for_user(93, 1000)["movie_id"].tolist()
    # none of those before has changed
    assert len(rec.tables.movies) == 24
    assert len(with_film.seen(30)[0]) == 0
    assert len(rated.tables.users) == 30


def test_ids_of_0_are_people_and_films(tmp_path):
    rec = write_drawn_run(tmp_path / "run", ids_from=0).recommender
    assert set(rec.people_who_like(0, 1000)["user_id"]) == set(range(0, 90, 3))
    assert set(rec.similar(2, 1000)["movie_id"]) == set(range(0, 48, 2)) - {2}
    assert 0 in rec.for_user(0, 1000, exclude_seen=False)["movie_id"].tolist()
    assert 0 in rec.where().tolist()
    assert 0 in rec.for_users([0], 1000, exclude_seen=False)["movie_id"].tolist()
