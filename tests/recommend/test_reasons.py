"""Why a film: each part against a product worked out film by film, and the words against these."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.data.attributes import user_attributes
from movierec.errors import InputError
from movierec.models.implicit import RIDGE, UNRATED
from movierec.models.newcomers import new_user
from movierec.models.watching import SHARE, SHORT
from movierec.recommend.people import Person
from movierec.recommend.reasons import Parts, parts_of
from movierec.recommend.recommender import Recommender
from movierec.runs import Run

WEIGHT = {1: 0.5, 2: 0.6, 3: 0.8, 4: 1.0, 5: 1.1}  # of stars in a history
BASE, BEYOND = "what is there without ratings", "what the training knows beyond these ratings"


def learned_by(run: Run, user_id: int) -> dict[int, float]:
    """The ratings that the training has seen, by film in ascending order."""
    ratings = run.tables.ratings[run.part != "test"]
    mine = ratings[ratings["user_id"] == user_id].sort_values("movie_id")
    return dict(zip(mine["movie_id"].tolist(), mine["rating"].tolist(), strict=True))


def newcomer(rec: Recommender, user_idx: int, rated: dict[int, float]):
    """The new user that the same ratings would make; a film's id is its row."""
    films = np.array(list(rated), np.int32)
    stars = np.array(list(rated.values()), np.float32)
    attributes = user_attributes(rec.features)[user_idx]
    return new_user(rec.model.newcomers, rec.model.films, attributes, films, stars)


USERS = [3, 6, 45, 84]
FILMS = [4, 30, 48]


@pytest.mark.parametrize("user_id", USERS)
@pytest.mark.parametrize("movie_id", FILMS)
def test_every_part_is_what_the_film_makes_of_it(drawn_run, user_id, movie_id):
    rec, user = drawn_run.recommender, user_id // 3
    rated = learned_by(drawn_run, user_id)
    assert len(rated) < (drawn_run.tables.ratings["user_id"] == user_id).sum() or user_id == 6
    film = rec.model.films[movie_id].astype(float)
    like = newcomer(rec, user, rated)

    frame = rec.explain(user_id, movie_id)
    assert frame.columns.tolist() == ["movie_id", "title", "rating", "stars", "watching"]
    assert frame["title"].tolist()[:2] == [BASE, BEYOND]
    assert frame["movie_id"].isna().tolist() == [True] * 2 + [False] * len(rated)
    assert frame["rating"].isna().tolist() == [True] * 2 + [False] * len(rated)
    own = frame.iloc[2:].set_index("movie_id")
    assert own["rating"].to_dict() == rated
    titles = drawn_run.tables.movies.set_index("movie_id")["title"]
    assert own["title"].to_dict() == titles[list(rated)].to_dict()
    expected = {f: float(p @ film) for f, p in zip(rated, like.parts.astype(float), strict=True)}
    assert own["stars"].to_dict() == pytest.approx(expected, abs=1e-4)
    assert frame["stars"][0] == pytest.approx(float(like.base.astype(float) @ film), abs=1e-4)
    assert frame["stars"].sum() == pytest.approx(rec.model.users[user] @ film, abs=1e-4)
    sizes = own["stars"].abs().tolist()
    assert sizes == sorted(sizes, reverse=True)

    watching = rec.model.watching
    meets = watching.watched[movie_id]
    weight = {other: WEIGHT[int(stars)] for other, stars in rated.items()}
    factors = {other: watching.watched[other, -3:-1] for other in rated}
    square = watching.unseen + RIDGE * len(rated) * np.eye(2)
    square += sum(weight[other] * np.outer(factors[other], factors[other]) for other in rated)
    for other in rated:
        vector = watching.watched[other, :-3] * watching.own[other]
        found = np.linalg.solve(square, (weight[other] + UNRATED) * factors[other])
        part = weight[other] * float(vector @ meets[:-3])
        part += SHARE * len(rated) / (len(rated) + SHORT) * float(found @ meets[-3:-1])
        assert own.loc[other, "watching"] == pytest.approx(part, abs=1e-5)
    profile = watching.profiles[user]
    assert frame["watching"][0] == pytest.approx(profile[-1] * meets[-1])
    assert frame["watching"].sum() == pytest.approx(profile @ meets, abs=1e-4)


def test_somebody_new_has_nothing_beyond_what_they_told(drawn_run):
    rec = drawn_run.recommender
    given = {8: 5, 2: 1, 20: 3}
    person = rec.new_user(given, gender="F", age=30)
    frame = rec.explain(person, 30)
    assert frame["title"].tolist()[0] == BASE
    assert frame["movie_id"].isna().tolist() == [True, False, False, False]
    assert frame.iloc[1:].set_index("movie_id")["rating"].to_dict() == given
    assert frame["stars"].sum() == pytest.approx(person.vector @ rec.model.films[30], abs=1e-4)
    meets = rec.model.watching.watched[30]
    assert frame["watching"].sum() == pytest.approx(person.profile @ meets, abs=1e-4)
    assert frame["watching"][0] == pytest.approx(person.profile[-1] * meets[-1])
    assert str(frame["movie_id"].dtype) == "Int64"
    parts = parts_of(rec, rec.model, person, np.array([30, 4]))
    assert (parts.rated.tolist(), parts.given.tolist()) == ([2, 8, 20], [1, 5, 3])
    assert parts.stars.shape == parts.watching.shape == (3, 2)
    assert list(parts.rest) == [BASE]


def test_users_are_explained_by_who_they_are(drawn_run):
    """The part without ratings differs with what somebody told of themselves."""
    rec = drawn_run.recommender
    nobody = rec.new_user()
    woman = rec.new_user(gender="F", age=20, occupation=1)
    assert not np.array_equal(nobody.new.base, woman.new.base)
    for person in (nobody, woman):
        expected = float(person.new.base @ rec.model.films[4])
        assert rec.explain(person, 4)["stars"].tolist() == pytest.approx([expected], abs=1e-4)


def test_words_name_what_counts_most_and_what_counts_against(drawn_run):
    """Some films for some people, put into words from the table of `explain`."""
    rec = drawn_run.recommender
    movies = drawn_run.tables.movies["movie_id"].tolist()[::2]

    def said(row) -> str:
        return f"{row.title} {row.rating:g} star{'' if row.rating == 1 else 's'}"

    seen = set()
    for person in (rec.person(45), rec.new_user({8: 1, 2: 5}), rec.new_user()):
        frames = [rec.explain(person, film).dropna(subset=["movie_id"]) for film in movies]
        for count, who in ((1, "you"), (2, "you"), (3, "they")):
            texts = rec.because_each(person, movies, count, who)
            for frame, text in zip(frames, texts, strict=True):
                most = frame[frame["watching"] > 0].sort_values("watching", ascending=False)
                # what was disliked is no reason to watch another
                most = most[most["rating"] >= 3].head(count)
                least = frame.sort_values("stars").head(1)
                least = least[(least["stars"] < 0) & ~least["movie_id"].isin(most["movie_id"])]
                speaking = " and ".join(map(said, most.itertuples()))
                against = "".join(map(said, least.itertuples()))
                if speaking and against:
                    expected = f"because {who} gave {speaking}, though {against}"
                elif speaking:
                    expected = f"because {who} gave {speaking}"
                else:
                    expected = f"though {who} gave {against}" if against else ""
                assert text == expected
                seen.add((len(most), len(least)))
    assert {(0, 0), (1, 0), (2, 1), (3, 1)} <= seen


def parts(person: Person, stars: np.ndarray, watching: np.ndarray) -> Parts:
    """The parts of one film's score, made up; a (n,) column each."""
    nothing = {BASE: (np.zeros(1), np.zeros(1))}
    return Parts(person.rated, person.stars, stars[:, None], watching[:, None], nothing)


def test_what_counts_neither_way_is_not_named(drawn_run, monkeypatch):
    """Films whose part is exactly nothing speak neither for a film nor against it."""
    rec = drawn_run.recommender
    person = rec.new_user({8: 5, 2: 5})
    silent = parts(person, np.zeros(2), np.zeros(2))
    monkeypatch.setattr("movierec.recommend.reasons.parts_of", lambda *_: silent)
    assert rec.because(person, 4) == ""


def test_what_counts_the_same_stands_by_film(drawn_run, monkeypatch):
    """Twenty films that count by turns for and against, all of them as much."""
    rec = drawn_run.recommender
    person = rec.new_user(dict.fromkeys(range(8, 48, 2), 3))
    sign = np.resize([1.0, -1.0], 20)
    same = parts(person, sign, sign)
    for room in ("reasons", "recommender"):
        monkeypatch.setattr(f"movierec.recommend.{room}.parts_of", lambda *_: same)
    frame = rec.explain(person, 4)
    assert frame["movie_id"].dropna().tolist() == list(range(8, 48, 2))
    titles = rec.tables.movies.set_index("movie_id")["title"]
    named = [f"{titles[film]} 3 stars" for film in range(8, 44, 4)]
    expected = f"because you gave {' and '.join(named)}, though {titles[10]} 3 stars"
    assert rec.because(person, 4, 9) == expected


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


def test_what_two_films_share_is_counted_by_hand(drawn_run):
    rec, ratings = drawn_run.recommender, drawn_run.tables.ratings
    movies = drawn_run.tables.movies.set_index("movie_id")
    raters = ratings.groupby("movie_id")["user_id"].agg(set)
    for first, second in ((2, 12), (4, 14), (8, 22), (10, 20), (10, 48), (6, 16)):
        found = rec.shared(first, second)
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
        assert list(found) == ["likeness", "raters", "expected", "genres", "words"]
