"""What trained runs recommend, whatever their recipe, on a world whose tastes are known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from movierec.runs import Run
from movierec.vectors import top_lists

COLUMNS = ["movie_id", "title", "year", "genres", "score", "predicted"]
SURE = ["std", "chance"]  # of a list for one person


@pytest.fixture(params=["small_run", "small_best", "small_own"])
def run(request) -> Run:
    """A network, factors, and a recipe of one's own."""
    return request.getfixturevalue(request.param)


def hits(run: Run, liking: float | None) -> int:
    """Films among the first ten that were held out, and that the person went on to like."""
    rec, test = run.recommender, run.rows("test")
    liked = test.take(np.flatnonzero(test.rating >= 4))
    users = np.unique(liked.user_idx)
    scores = partial(rec.scorer.scores, liking=liking)
    left_out = lambda user: rec.seen(user, learned_only=True)[0]  # noqa: E731
    best, _ = top_lists(scores, users, rec.is_film, left_out, 10)
    shown = {(user, film) for user, films in zip(users, best, strict=True) for film in films}
    return len(shown & set(zip(liked.user_idx, liked.movie_idx, strict=True)))


def test_lists_by_both_halves_beat_lists_by_stars_alone(run):
    assert hits(run, None) > 1.3 * hits(run, 1.0)


def test_liking_moves_a_list_from_what_is_watched_to_what_is_loved(run):
    rec = run.recommender
    only = rec.for_user(2, k=20, liking=1.0)
    assert only["predicted"].is_monotonic_decreasing
    watched = rec.for_user(2, k=20, liking=0.0)
    assert watched["predicted"].mean() < only["predicted"].mean()
    counts = rec.rated_counts
    seen = [counts[rec.features.movies.encode(films["movie_id"])] for films in (watched, only)]
    assert seen[0].mean() > seen[1].mean()


def test_every_mode_answers_with_score_and_predicted_stars(run):
    rec = run.recommender
    me = rec.new_user({2: 5, 4: 1}, gender="F")
    for films in (rec.for_user(2), rec.for_user(me), rec.for_group([2, me]), rec.also_liked(2)):
        assert films.columns[: len(COLUMNS)].tolist() == COLUMNS
        assert len(films) == 10
        assert films["predicted"].between(1, 5).all()
        assert films["score"].is_monotonic_decreasing
    assert rec.for_user(2).columns.tolist() == rec.for_user(me).columns.tolist() == COLUMNS + SURE
    assert rec.for_users([2, 3]).columns.tolist() == ["user_id", "rank", *COLUMNS]
    assert {"score", "predicted"} <= set(rec.people_who_like(2))
    loved, hated = (rec.predict(rec.new_user({2: stars}), 2)[0] for stars in (5, 1))
    assert loved > hated


def test_reasons_add_up_to_both_halves_for_people_of_the_data_and_new_ones(run):
    rec = run.recommender
    film = int(rec.for_user(2, 1)["movie_id"][0])
    row = int(rec.features.movies.encode([film])[0])
    for person in (rec.person(2), rec.new_user({2: 5, 4: 1})):
        frame = rec.explain(person, film)
        stars = float(person.vector @ rec.model.films[row])
        watching = float(person.profile @ rec.model.watching.watched[row])
        assert frame["stars"].sum() == pytest.approx(stars, abs=1e-3)
        assert frame["watching"].sum() == pytest.approx(watching, abs=1e-3)
        assert len(frame.dropna(subset="movie_id")) == len(
            person.rated if person.new else rec.seen(person.user_idx, learned_only=True)[0]
        )


def test_new_films_and_ratings_are_recommended_with_whatever_was_trained(run):
    title = pd.DataFrame({"title": ["Sea (1999)"], "genres": [run.tables.movies["genres"][0]]})
    rec = run.recommender.add_movies(title)
    new = int(rec.tables.movies["movie_id"].max())
    assert new in rec.for_user(2, 1000)["movie_id"].tolist()
    assert np.isfinite(rec.predict(2, new)).all()
    loved = int(run.recommender.for_user(2, 1)["movie_id"][0])
    rated = rec.add_ratings(pd.DataFrame({"user_id": [2], "movie_id": [loved], "rating": [5.0]}))
    assert loved not in rated.for_user(2, 1000)["movie_id"].tolist()


def test_neighbours_share_their_circle(small_world, run):
    """The simulated world's films come in circles that the same people watch."""
    rec, circle = run.recommender, small_world.truth.movie_circle
    place = {int(movie): row for row, movie in enumerate(small_world.truth.movie_ids)}
    popular = rec.tables.ratings["movie_id"].value_counts().index[:40]
    shares = []
    for movie in popular:
        near = rec.similar(int(movie), k=5)["movie_id"]
        shares.append(np.mean([circle[place[int(n)]] == circle[place[int(movie)]] for n in near]))
    by_chance = np.mean([np.mean(circle == circle[place[int(movie)]]) for movie in popular])
    assert np.mean(shares) > 1.5 * by_chance
