"""The explorer: what answers to its offers are worth, and how long each of its actions takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.accuracy import served, strangers
from benchmarks.measure import Row
from movierec.data.tables import Tables
from movierec.explorer.explorer import FILM, FOR_YOU, MAP, PERSON, explorer
from movierec.explorer.visitor import Visitor, offers
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
    orders = {"offers": None, "most rated": _most_rated(rec), "log pop x entropy": _telling(rec)}
    answers: dict[tuple[str, int], list[dict[int, float]]] = {
        (name, count): [] for count in ASKED for name in orders
    }
    held_out, met_by = [], []
    by_user = tables.ratings[tables.ratings["user_id"].isin(ids)].groupby("user_id")
    for user_id in ids[:PEOPLE]:
        rows = by_user.get_group(user_id)
        own = dict(zip(rows["movie_id"], rows["rating"], strict=True))
        given = {name: list(_interview(rec, own, order)) for name, order in orders.items()}
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
    rec: Recommender, own: dict[int, float], order: list[int] | None
) -> Iterator[tuple[set[int], dict[int, float]]]:
    """The films asked about so far and the stars given, after each question."""
    visitor, met = Visitor(), set()
    for question in range(ASKED[-1]):
        film = offers(rec, visitor, 1)[0] if order is None else order[question]
        met.add(film)
        if film in own:
            visitor.rate(film, own[film])
        else:
            visitor.pass_over(film)
        yield set(met), dict(visitor.ratings)


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
    """What each action of the explorer takes in Python.

    Args:
        rec: of a run of recipe `best`.

    Returns:
        Rounds with `milliseconds` by action; `open` is the making of the explorer.
    """
    rounds: dict[str, list[Row]] = {}

    def measure(name: str, action: Callable[[int], object], turns: int = TURNS) -> None:
        found = []
        for turn in range(turns + 1):
            began = time.perf_counter()
            action(turn)
            found.append({"milliseconds": 1000 * (time.perf_counter() - began)})
        rounds[name] = found[1:]

    measure("open", lambda _: explorer(rec), turns=5)
    view = explorer(rec)
    films = rec.tables.movies["movie_id"].tolist()
    measure(
        "give stars", lambda n: view.act("rate", view.for_you.offered.movie_ids[0], 1.0 + n % 5)
    )
    measure("don't know it", lambda _: view.act("unknown", view.for_you.offered.movie_ids[0]))
    measure("ask about others", lambda _: view.for_you.others.click())
    measure("why this film", lambda n: view.act("why", view.for_you.list.movie_ids[n % 6]))
    typed = "the matrix reloaded"
    measure("type a film to rate", lambda n: _set(view.for_you.title, typed[: n % 18 + 1]))
    view.for_you.title.value = ""
    measure(
        "tell one's age", lambda n: _set(view.for_you.age, view.for_you.age.options[n % 7 + 1][1])
    )
    measure("adventurousness", lambda n: _set(view.tuning.adventure, (n % 9 + 1) / 5))
    measure("draw again", lambda _: view.tuning.again.click())
    measure("variety", lambda n: _set(view.tuning.variety, (n % 9) / 10))
    measure("seeing or loving", lambda n: _set(view.tuning.liking, (n % 9) / 10))
    boxes = view.tuning.genres
    measure("a genre", lambda n: _set(boxes[n % len(boxes)], not boxes[n % len(boxes)].value))
    view.tuning.clear.click()
    measure("take back", lambda _: view.act("back", view.for_you.rated.movie_ids[0]), turns=5)
    view.tabs.selected_index = FILM
    measure("type a title", lambda n: _set(view.search.text, typed[: n % 18 + 1]))
    measure("another film", lambda n: view.act("film", films[31 * n % len(films)]))
    view.tabs.selected_index = PERSON
    measure("another person", lambda _: view.person.somebody.click())
    counts = rec.tables.ratings["user_id"].value_counts()
    busy = [int(user) for user in counts.index[: TURNS + 1]]
    measure("a person with 1,000 ratings and more", lambda n: _set(view.person.user, busy[n]))
    measure("why, for them", lambda n: view.act("why", view.person.list.movie_ids[n % 6]))
    view.tuning.k.value = 24
    view.tabs.selected_index = FOR_YOU
    measure(
        "24 films: give stars", lambda n: view.act("rate", view.for_you.offered.movie_ids[0], 3.0)
    )
    view.tuning.k.value = 12
    began = time.perf_counter()
    view.tabs.selected_index = MAP
    rounds["open the map"] = [{"milliseconds": 1000 * (time.perf_counter() - began)}]
    measure(
        "a film on the map",
        lambda n: view.act("film", view.map.view.ids[31 * n % len(view.map.view.ids)]),
    )
    return rounds


def _set(control: object, value: object) -> None:
    control.value = value  # type: ignore[attr-defined]  # every control has one
