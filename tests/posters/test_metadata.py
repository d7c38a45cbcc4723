"""What a page gets of posters and titles, when, and what goes wrong without harm to it."""

from __future__ import annotations

import io
import time

import pandas as pd
from asking import MATRIX, say, shown, tmdb, until
from film_server import tmdb_film
from PIL import Image

from movierec.posters.films import Film


def test_a_film_is_unknown_then_comes_and_is_then_known(server, open_metadata):
    films = open_metadata(tmdb(server))
    assert films.known(1) is None

    came, _ = shown(films, 1, 2)

    assert came.title == "The Matrix"
    assert came.overview == "What happens in The Matrix."
    assert Image.open(io.BytesIO(came.poster)).size == (342, 513)
    films.ask([3, 99])  # the provider has none of one, and the data none of the other
    assert films.known(3) is films.known(99) is None


def test_what_is_kept_is_known_to_the_next_process_without_a_network(server, open_metadata):
    first = open_metadata(tmdb(server))
    came = shown(first, 1, 2)
    first.close()
    server.close()

    second = open_metadata(tmdb(server))

    assert shown(second, 1, 2) == came
    assert second.known(3) is None


def test_many_who_want_the_same_film_make_one_request(server, open_metadata):
    server.faults["query=The+Matrix"] = lambda handler: server.released.wait(5)
    films = open_metadata(tmdb(server))
    films.ask([1])
    until(lambda: server.seen)
    for _ in range(10):
        films.ask([1])
    until(lambda: not films._wanted)
    assert server.paths().count("/3/search/movie") == 1


def test_the_latest_wish_comes_first_and_what_was_wanted_long_ago_is_forgotten(
    server, open_metadata, monkeypatch
):
    monkeypatch.setattr("movierec.posters.metadata.WAITING", 3)
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.films = [tmdb_film(number, f"Film {number}x", 2000) for number in range(1, 9)]
    numbers = [film["id"] for film in server.films]
    titles = [f"Film {number}x (2000)" for number in numbers]
    many = pd.DataFrame({"movie_id": numbers, "title": titles, "year": 2000})
    server.faults["query=Film+1x"] = lambda handler: server.released.wait(5)
    films = open_metadata(tmdb(server), many)

    films.ask([1])  # keeps the only thread waiting
    until(lambda: server.seen)
    films.ask([2, 3, 4, 5])
    films.ask([7, 8])
    server.faults.clear()
    server.released.set()
    until(lambda: films.known(2))

    asked = [query["query"] for path, query, *_ in server.seen if path == "/3/search/movie"]
    assert [name for name in asked if name != "Film 1x"] == ["Film 7x", "Film 8x", "Film 2x"]


def test_a_provider_that_fails_is_left_alone_and_then_asked_again(
    server, open_metadata, monkeypatch, caplog
):
    monkeypatch.setattr("movierec.posters.metadata.REST", 0.4)
    server.faults["/3/"] = say({}, status=500)
    films = open_metadata(tmdb(server))
    films.ask([1])
    until(lambda: caplog.records)
    asked = len(server.seen)
    server.faults.clear()

    films.ask([2])
    time.sleep(0.1)
    assert len(server.seen) == asked

    shown(films, 2)  # when the rest is over


def test_what_waits_is_forgotten_where_the_provider_fails(server, open_metadata, monkeypatch):
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.faults["/3/"] = say({}, status=500)
    films = open_metadata(tmdb(server))
    films.ask([1, 2, 3])
    until(lambda: server.seen and not films._wanted)
    assert {query["query"] for _, query, *_ in server.seen} == {"The Matrix"}


def test_a_key_that_is_refused_is_not_tried_again(server, open_metadata, monkeypatch, caplog):
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.faults["/3/"] = say({"status_code": 7, "success": False}, status=401)
    films = open_metadata(tmdb(server))
    films.ask([1, 2, 3])
    until(lambda: caplog.records)
    films.ask([1, 2, 3])
    time.sleep(0.05)
    assert len(server.seen) == 1
    assert "TMDB does not accept the key" in caplog.text


def test_a_film_with_a_bad_answer_is_spared(server, open_metadata, caplog):
    server.faults["query=The+Matrix"] = say([])
    films = open_metadata(tmdb(server))
    films.ask([1])
    until(lambda: caplog.records)
    films.ask([1])
    shown(films, 2)
    assert server.paths().count("/3/search/movie") == 2  # one each


def test_a_fault_of_our_own_keeps_no_other_film_from_its_picture(
    server, open_metadata, monkeypatch, caplog
):
    films = open_metadata(tmdb(server))
    ask = films.provider.look_up

    def failing(film: Film) -> object:
        if film == MATRIX:
            raise RuntimeError("a mistake")
        return ask(film)

    monkeypatch.setattr(films.provider, "look_up", failing)
    films.ask([1])
    shown(films, 2)
    assert "a mistake" in caplog.text


def test_a_closed_one_ends_at_once(server, open_metadata):
    server.faults["/3/"] = lambda handler: server.released.wait(2)
    films = open_metadata(tmdb(server))
    films.ask([1, 2, 3])
    until(lambda: server.seen)
    began = time.monotonic()
    films.close()
    assert time.monotonic() - began < 1.5
    films.ask([1, 2, 3])
    assert films.known(1) is None
    server.released.set()


def test_what_is_known_is_told_at_once(server, open_metadata):
    films = open_metadata(tmdb(server))
    films.look_up(MATRIX)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        films.known(1)
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.002
