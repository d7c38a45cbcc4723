"""The explorer: what answers to its offers are worth, and how long each of its actions takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.accuracy import served, strangers
from benchmarks.measure import Row
from movierec.data.tables import Tables
from movierec.explorer.asking import Asking, asking, interview
from movierec.explorer.service import answer, service_of
from movierec.recommend.recommender import Recommender

ASKED = (6, 12, 20, 30)  # films that somebody is asked about
PEOPLE = 300  # of the protocol's new users
LEFT = 5  # films at least that somebody rated and no order asks about
TURNS = 15  # of an action, after one that is not counted


def asked(tables: Tables, recipe: str) -> Iterator[tuple[str, Row]]:
    """New users who are asked about films and answer as they rated: by offers, or in a fixed order.

    What they did not rate they do not know. Errors and lists are of the films that they rated and
    that none of the orders asks about within the most questions.

    Args:
        tables: MovieLens-1M.
        recipe: how to train.

    Yields:
        For each order and number of questions its name, and `known` (answers that were stars),
        `rmse`, `ndcg`.

    Reference:
        Rashid et al. (2002), Getting to Know You (logarithm of popularity times entropy).
    """
    ids, rec = strangers(tables, recipe)
    world = asking(rec)
    orders = {"offers": None, "most rated": _most_rated(rec), "log pop x entropy": _telling(rec)}
    answers: dict[tuple[str, int], list[dict[int, float]]] = {
        (name, count): [] for count in ASKED for name in orders
    }
    held_out, met_by = [], []
    by_user = tables.ratings[tables.ratings["user_id"].isin(ids)].groupby("user_id")
    for user_id in ids[:PEOPLE]:
        rows = by_user.get_group(user_id)
        own = dict(zip(rows["movie_id"], rows["rating"], strict=True))
        given = {name: list(_interview(rec, world, own, order)) for name, order in orders.items()}
        met = set().union(*(films for steps in given.values() for films, _ in steps))
        rest = rows[~rows["movie_id"].isin(met)]
        if len(rest) < LEFT:
            continue
        held_out.append(rest)
        met_by.append(met)
        for name, steps in given.items():
            for count in ASKED:
                answers[name, count].append(steps[count - 1][1])
    for (name, count), told in answers.items():
        row = served(rec, [rec.new_user(ratings) for ratings in told], held_out, met_by)
        known = float(np.mean([len(ratings) for ratings in told]))
        yield f"{count} films, {name}", row | {"known": known}


def _interview(
    rec: Recommender, world: Asking, own: dict[int, float], order: list[int] | None
) -> Iterator[tuple[set[int], dict[int, float]]]:
    """The films asked about so far and the stars given, after each question."""
    movies, met, ratings = rec.features.movies, set[int](), dict[int, float]()
    for question in range(ASKED[-1]):
        if order is None:
            rated = movies.encode(np.array(list(ratings), np.int64))
            unknown = movies.encode(np.array(list(met - set(ratings)), np.int64))
            film = int(movies.decode(interview(world, rated, unknown).ask)[0])
        else:
            film = order[question]
        met.add(film)
        if film in own:
            ratings[film] = own[film]
        yield set(met), dict(ratings)


def _most_rated(rec: Recommender) -> list[int]:
    counts = rec.tables.ratings["movie_id"].value_counts()
    return [int(film) for film in counts.index]


def _telling(rec: Recommender) -> list[int]:
    counts = rec.tables.ratings.groupby(["movie_id", "rating"]).size().unstack(fill_value=0)
    total = counts.sum(axis="columns")
    share = counts.div(total, axis="index")
    entropy = -(share * np.log(share.clip(lower=1e-12))).sum(axis="columns")
    score = (np.log(total) * entropy).sort_values(ascending=False)
    return [int(film) for film in score.index]


def actions(rec: Recommender) -> dict[str, list[Row]]:
    """What each question of the explorer takes in Python.

    Returns:
        Rounds with `milliseconds` of the processor by question; `open` is the making of a service.
    """
    rounds: dict[str, list[Row]] = {}
    service = service_of(rec)
    films = [int(film) for film in rec.tables.ratings["movie_id"].value_counts().index]
    busiest = int(rec.tables.ratings["user_id"].mode()[0])

    def measure(called: str, name: str, question: dict[str, Any]) -> None:
        found = []
        for _ in range(TURNS + 1):
            began = time.process_time()
            answer(service, name, question).model_dump_json(exclude_none=True)
            found.append({"milliseconds": 1000 * (time.process_time() - began)})
        rounds[called] = found[1:]

    began = time.process_time()
    service_of(rec)
    rounds["open"] = [{"milliseconds": 1000 * (time.process_time() - began)}]
    for count in (0, 1, 10, 100, 1_000):
        ratings = {film: 1.0 + n % 5 for n, film in enumerate(films[: min(count, len(films) - 50)])}
        question = {"ratings": ratings, "ask": 3}
        measure(f"the list and three questions after {count} stars", "for-new-user", question)
    ratings = {film: 1.0 + n % 5 for n, film in enumerate(films[:10])}
    measure("a varied draw of 24", "for-new-user", {"ratings": ratings, "k": 24, "variety": 0.5})
    measure("with conditions", "for-new-user", {"ratings": ratings, "genres": ["Comedy"]})
    measure("a film: why", "explain", {"ratings": ratings, "movie_id": films[20]})
    measure("a film: similar", "similar", {"movie_id": films[20], "k": 6})
    measure("a film: also liked", "also-liked", {"movie_id": films[20], "k": 6})
    measure("a film: people", "people-who-like", {"movie_id": films[20]})
    measure("the busiest person", "for-user", {"user_id": busiest})
    measure("two together", "for-group", {"people": [{"ratings": ratings}, busiest], "least": 3.0})
    measure("type a title", "find", {"text": "the matrix reloaded"})
    measure("the map", "map", {})
    measure("posters, without a provider", "posters", {"movie_ids": films[:12]})
    return rounds
