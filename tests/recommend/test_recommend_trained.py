"""What a trained run recommends, on a simulated world whose tastes are known."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.errors import InputError


def test_liking_moves_a_list_from_what_is_watched_to_what_is_loved(small_best):
    rec = small_best.recommender
    only = rec.for_user(2, k=20, liking=1.0)
    assert only["predicted"].is_monotonic_decreasing
    watched = rec.for_user(2, k=20, liking=0.0)
    assert watched["predicted"].mean() < only["predicted"].mean()
    counts = rec.tables.ratings["movie_id"].value_counts()
    seen = [counts.reindex(films["movie_id"]).fillna(0).mean() for films in (watched, only)]
    assert seen[0] > seen[1]
    with pytest.raises(InputError, match="got liking 2"):
        rec.for_user(2, liking=2)


def test_lists_of_what_is_watched_beat_lists_by_predicted_rating(small_best):
    """Of the films that people went on to like, more are in lists that know what is watched."""
    rec, test = small_best.recommender, small_best.rows("test")
    liked = test.rating >= 4
    pairs = set(zip(test.user_idx[liked].tolist(), test.movie_idx[liked].tolist(), strict=True))
    users = np.unique(test.user_idx[liked])
    train = small_best.rows("train")
    hits = {}
    for liking in (None, 1.0):
        scores = rec.scores(users, liking)
        scores[:, rec.features.movies.ids < 0] = -np.inf
        for row, user in enumerate(users):
            scores[row, train.movie_idx[train.user_idx == user]] = -np.inf
        best = np.argsort(-scores, axis=1)[:, :10]
        hits[liking] = sum(
            (user, film) in pairs
            for user, films in zip(users.tolist(), best.tolist(), strict=True)
            for film in films
        )
    assert hits[None] > 1.5 * hits[1.0]


def test_neighbours_share_their_circle(small_world, small_best):
    """The simulated world's films come in circles that the same people watch."""
    rec, circle = small_best.recommender, small_world.truth.movie_circle
    place = {int(movie): row for row, movie in enumerate(small_world.truth.movie_ids)}
    popular = rec.tables.ratings["movie_id"].value_counts().index[:40]
    shares = []
    for movie in popular:
        near = rec.similar(int(movie), k=5)["movie_id"]
        shares.append(np.mean([circle[place[int(n)]] == circle[place[int(movie)]] for n in near]))
    by_chance = np.mean([np.mean(circle == circle[place[int(movie)]]) for movie in popular])
    assert np.mean(shares) > 1.5 * by_chance
