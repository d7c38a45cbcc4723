"""Why a film: each part against a product worked out film by film, and the words against these."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.errors import InputError
from movierec.models.newcomers import new_user
from movierec.recommend.people import known_attributes
from movierec.recommend.reasons import because, explain, ground_of, parts_of, shared
from movierec.recommend.recommender import POPULAR, Recommender
from movierec.runs import Run

WEIGHT = {1: 0.5, 2: 0.6, 3: 0.8, 4: 1.0, 5: 1.1}  # of stars in a history
BASE, BEYOND = "what is there without ratings", "what the training knows beyond these ratings"


def learned_by(run: Run, user_id: int) -> dict[int, float]:
    """The ratings that the training has seen, by film in ascending order."""
    ratings = run.tables.ratings[run.part == "train"]
    mine = ratings[ratings["user_id"] == user_id].sort_values("movie_id")
    return dict(zip(mine["movie_id"].tolist(), mine["rating"].tolist(), strict=True))


def newcomer(rec: Recommender, user_idx: int, rated: dict[int, float]):
    """The new user that the same ratings would make; a film's id is its row."""
    films = np.array(list(rated), np.int32)
    stars = np.array(list(rated.values()), np.float32)
    attributes = known_attributes(rec.features, user_idx)
    return new_user(rec.newcomers, rec.movie_vectors, attributes, films, stars)


def whole(vectors: np.ndarray, rest: np.ndarray, row: int) -> np.ndarray:
    return np.append(vectors[row], rest[row]).astype(float)


USERS = [3, 6, 45, 84]
FILMS = [4, 30, 48]


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("movie_id", FILMS)
@pytest.mark.parametrize("kind", ["drawn_run", "drawn_plain_run"])
def test_every_part_is_what_the_film_makes_of_it(kind, user_id, movie_id, request):
    run = request.getfixturevalue(kind)
    rec, user = run.recommender, user_id // 3
    rated = learned_by(run, user_id)
    film = whole(rec.movie_vectors, rec.newcomers.movie_rest, movie_id)
    like = newcomer(rec, user, rated)
    vector = whole(rec.user_vectors, rec.newcomers.user_rest, user)

    frame = rec.explain(user_id, movie_id)
    assert frame["title"].tolist()[:2] == [BASE, BEYOND]
    assert frame["movie_id"].isna().tolist() == [True] * 2 + [False] * len(rated)
    assert frame["rating"].isna().tolist() == [True] * 2 + [False] * len(rated)
    own = frame.iloc[2:].set_index("movie_id")
    assert own["rating"].to_dict() == rated
    titles = run.tables.movies.set_index("movie_id")["title"]
    assert own["title"].to_dict() == titles[list(rated)].to_dict()
    expected = {f: float(p @ film) for f, p in zip(rated, like.parts.astype(float), strict=True)}
    assert own["stars"].to_dict() == pytest.approx(expected, abs=1e-4)
    base = float(like.base.astype(float) @ film)
    assert frame["stars"][0] == pytest.approx(base, abs=1e-4)
    assert frame["stars"].sum() == pytest.approx(vector @ film, abs=1e-4)
    sizes = own["stars"].abs().tolist()
    assert sizes == sorted(sizes, reverse=True)

    if rec.watching is None:
        assert frame.columns.tolist() == ["movie_id", "title", "rating", "stars"]
        return
    assert frame.columns.tolist() == ["movie_id", "title", "rating", "stars", "watching"]
    watching = rec.watching
    meets = watching.movies[movie_id] / watching.own[movie_id]
    for other, stars in rated.items():
        part = WEIGHT[int(stars)] * float(watching.movies[other] @ meets)
        assert own.loc[other, "watching"] == pytest.approx(part, abs=1e-5)
    profile, popular = watching.users[user], 0.0
    if not profile.any():
        popular = POPULAR * float(watching.liked[movie_id])
    assert frame["watching"][0] == pytest.approx(popular)
    assert frame["watching"].sum() == pytest.approx(profile @ meets + popular, abs=1e-4)


def test_somebody_new_has_nothing_beyond_what_they_told(drawn_run):
    rec = drawn_run.recommender
    given = {8: 5, 2: 1, 20: 3}
    person = rec.new_user(given, gender="F", age=30)
    frame = explain(rec, person, 30)
    assert frame["title"].tolist()[0] == BASE
    assert frame["movie_id"].isna().tolist() == [True, False, False, False]
    assert frame.iloc[1:].set_index("movie_id")["rating"].to_dict() == given
    film = whole(rec.movie_vectors, rec.newcomers.movie_rest, 30)
    assert frame["stars"].sum() == pytest.approx(person.vector @ film, abs=1e-4)
    meets = rec.watching.movies[30] / rec.watching.own[30]
    popular = person.popular * rec.watching.liked[30]
    assert frame["watching"].sum() == pytest.approx(person.profile @ meets + popular, abs=1e-4)
    assert frame["watching"][0] == pytest.approx(popular)
    assert str(frame["movie_id"].dtype) == "Int64"

    ground = ground_of(rec, person)
    assert ground.rated.tolist() == [2, 8, 20]
    assert ground.given.tolist() == [1, 5, 3]
    assert np.array_equal(ground.base, person.base)
    assert np.array_equal(ground.parts, person.parts)
    parts = parts_of(rec, person, 30, ground)
    assert len(parts.rest) == len(parts.watching_rest) == 1


def test_ground_of_a_user_is_what_the_training_has_seen(drawn_run):
    rec = drawn_run.recommender
    for user_id in USERS:
        rated = learned_by(drawn_run, user_id)
        ground = ground_of(rec, rec.person(user_id))
        assert dict(zip(ground.rated.tolist(), ground.given.tolist(), strict=True)) == rated
        like = newcomer(rec, user_id // 3, rated)
        assert np.array_equal(ground.base, like.base)
        assert np.array_equal(ground.parts, like.parts)
        assert len(rated) < (drawn_run.tables.ratings["user_id"] == user_id).sum() or user_id == 6


def test_users_are_explained_by_who_they_are(drawn_run):
    """The part without ratings differs with what somebody told of themselves."""
    rec = drawn_run.recommender
    nobody = rec.new_user()
    woman = rec.new_user(gender="F", age=20, occupation=1)
    film = whole(rec.movie_vectors, rec.newcomers.movie_rest, 4)
    for person in (nobody, woman):
        assert explain(rec, person, 4)["stars"].tolist() == pytest.approx(
            [float(person.base @ film)], abs=1e-4
        )


@pytest.mark.parametrize("kind", ["drawn_run", "drawn_plain_run"])
def test_words_name_what_counts_most_and_what_counts_against(kind, request):
    """Some films for some people, put into words from the table of `explain`."""
    run = request.getfixturevalue(kind)
    rec = run.recommender
    movies = run.tables.movies["movie_id"].tolist()[::2]

    def said(row) -> str:
        return f"{row.title} {row.rating:g} star{'' if row.rating == 1 else 's'}"

    seen = set()
    for person in (rec.person(45), rec.new_user({8: 1, 2: 5}), rec.new_user()):
        frames = [explain(rec, person, film).dropna(subset=["movie_id"]) for film in movies]
        for count in (1, 2, 3):
            texts = because(rec, person, movies, count)
            for frame, text in zip(frames, texts, strict=True):
                counted = "watching" if "watching" in frame else "stars"
                most = frame[frame[counted] > 0].sort_values(counted, ascending=False)
                if counted == "watching":  # what was disliked is no reason to watch another
                    most = most[most["rating"] >= 3]
                most = most.head(count)
                least = frame.sort_values("stars").head(1)
                least = least[(least["stars"] < 0) & ~least["movie_id"].isin(most["movie_id"])]
                speaking = " and ".join(map(said, most.itertuples()))
                against = "".join(map(said, least.itertuples()))
                if speaking and against:
                    expected = f"because you gave {speaking}, though {against}"
                elif speaking:
                    expected = f"because you gave {speaking}"
                else:
                    expected = f"though you gave {against}" if against else ""
                assert text == expected
                seen.add((len(most), len(least)))
    assert {(0, 0), (1, 0), (2, 1), (3, 1)} <= seen


def test_what_counts_neither_way_is_not_named(drawn_plain_run, monkeypatch):
    """Films whose part is exactly nothing speak neither for a film nor against it."""
    rec = drawn_plain_run.recommender
    person = rec.person(45)
    ground = ground_of(rec, person)
    silent = ground._replace(parts=np.zeros_like(ground.parts))
    parts = parts_of(rec, person, 4, silent)
    assert parts.stars.tolist() == [0] * len(ground.rated)
    monkeypatch.setattr("movierec.recommend.reasons.ground_of", lambda *_: silent)
    assert because(rec, person, [4, 6], 2) == ["", ""]


def test_what_counts_the_same_stands_by_film(drawn_run, monkeypatch):
    """Twenty films that count by turns for and against, all of them as much."""
    rec = drawn_run.recommender
    person = rec.new_user(dict.fromkeys(range(8, 48, 2), 3))
    film = rec.films[4] / np.linalg.norm(rec.films[4]) ** 2
    sign = np.resize([1.0, -1.0], 20)
    ground = ground_of(rec, person)._replace(parts=sign[:, None] * np.ones(20)[:, None] * film)
    same = ground.parts @ film
    assert len(set(np.abs(same))) == 1
    monkeypatch.setattr("movierec.recommend.reasons.ground_of", lambda *_: ground)
    frame = explain(rec, person, 4)
    assert frame["movie_id"].dropna().tolist() == list(range(8, 48, 2))
    plain = rec.watching
    monkeypatch.setattr(rec, "watching", None)
    titles = rec.tables.movies.set_index("movie_id")["title"]
    [text] = because(rec, person, [4], 9)
    named = [f"{titles[film]} 3 stars" for film in range(8, 44, 4)]
    assert text == f"because you gave {' and '.join(named)}, though {titles[10]} 3 stars"
    monkeypatch.setattr(rec, "watching", plain)


def test_one_film_or_several_and_the_usual_number_of_reasons(drawn_run):
    rec = drawn_run.recommender
    assert rec.because(3, 4) == rec.because(3, 4, 2) == rec.because_each(3, [4])[0]
    assert rec.because_each(3, 4) == [rec.because(3, 4)]
    assert rec.because_each(3, [4, 6], 1) == [rec.because(3, 4, 1), rec.because(3, 6, 1)]
    assert rec.because(rec.person(3), 6) == rec.because(3, 6)
    with pytest.raises(InputError, match="unknown movie id 5"):
        rec.because(3, 5)
    with pytest.raises(InputError, match="unknown movie id 5"):
        rec.explain(3, 5)
    with pytest.raises(InputError, match=r"unknown movie id 4\.5"):
        rec.because(3, 4.5)
    assert rec.because_each(3, []) == []


def test_runs_without_newcomers_cannot_explain(drawn_run):
    rec = drawn_run.recommender
    bare = Recommender(rec.tables, rec.features, rec.user_vectors, rec.movie_vectors)
    with pytest.raises(InputError, match="made without newcomers; train the run again"):
        bare.explain(3, 4)


@pytest.mark.parametrize("kind", ["drawn_run", "drawn_plain_run"])
def test_what_two_films_share_is_counted_by_hand(kind, request):
    run = request.getfixturevalue(kind)
    rec, ratings = run.recommender, run.tables.ratings
    movies = run.tables.movies.set_index("movie_id")
    raters = ratings.groupby("movie_id")["user_id"].agg(set)
    for first, second in ((2, 12), (4, 14), (8, 22), (10, 20), (10, 48), (6, 16)):
        found = shared(rec, first, second)
        one, other = (raters.get(film, set()) for film in (first, second))
        assert found["raters"] == len(one & other)
        assert found["expected"] == pytest.approx(len(one) * len(other) / 30)
        genres = [set(movies["genres"][film].split("|")) for film in (first, second)]
        assert found["genres"] == sorted(set.intersection(*genres) - {"(no genres listed)"})
        words = [set(movies["title"][film].rsplit(" (", 1)[0].split()) for film in (first, second)]
        assert set(found["words"]) == set.intersection(*words)
        assert len(found["words"]) == len(set(found["words"]))
        likeness = dict(rec.similar(first, k=23)[["movie_id", "score"]].itertuples(index=False))
        assert found["likeness"] == pytest.approx(likeness[second], abs=1e-6)
        assert rec.shared(first, second) == found
        assert list(found) == ["likeness", "raters", "expected", "genres", "words"]
