"""What a page gets of posters and titles, when, and what goes wrong without harm to it."""

from __future__ import annotations

import io
import threading
import time

import pandas as pd
import pytest
from asking import MATRIX, MOVIES, Answers, rows, say, tmdb, until
from film_server import send, tmdb_film
from PIL import Image

from movierec.posters.metadata import prefetch
from movierec.posters.provider import Details


def test_a_film_is_unknown_then_comes_from_another_thread_and_is_then_known(server, open_metadata):
    films, answers = open_metadata(tmdb(server)), Answers()
    assert films.known(1) is None

    films.ask(MOVIES, answers)
    answers.wait(1, 2)

    (came,) = answers.came[1]
    assert (came.title, came.source) == ("The Matrix", "TMDB")
    assert came.overview == "What happens in The Matrix."
    assert Image.open(io.BytesIO(came.poster)).size == (342, 513)
    assert films.known(1) == came
    assert threading.current_thread() not in answers.threads
    assert 3 not in answers.came


def test_what_is_kept_is_known_to_the_next_process_without_a_network(server, open_metadata):
    first, answers = open_metadata(tmdb(server)), Answers()
    first.ask(MOVIES, answers)
    answers.wait(1, 2)
    first.close()
    server.close()

    second = open_metadata(tmdb(server))

    assert second.known(1) == answers.came[1][0]
    assert second.known(3) is None
    second.ask(rows(2), answers)
    answers.wait(2, times=2)  # what another process has found meanwhile is handed out too


def test_many_who_want_the_same_film_make_one_request(server, open_metadata):
    films, everybody = open_metadata(tmdb(server)), [Answers() for _ in range(10)]
    for answers in everybody:
        films.ask(rows(1), answers)
    for answers in everybody:
        answers.wait(1)
    assert server.paths().count("/3/search/movie") == 1


def test_a_page_that_asks_again_before_the_answer_is_called_once(server, open_metadata):
    films, page, last = open_metadata(tmdb(server)), Answers(), Answers()
    server.faults["query=The+Matrix"] = lambda handler: server.released.wait(5)  # asked again later
    films.ask(rows(1), page)
    until(lambda: server.seen)
    films.ask(rows(1, 1), page)
    films.ask(rows(1), last)
    server.faults.clear()
    server.released.set()
    last.wait(1)  # after all who asked before
    assert len(page.came[1]) == 1


@pytest.mark.parametrize(("pause", "order"), [(0.0, [7, 8, 2]), (9.0, [2, 3, 4])])
def test_the_latest_wish_comes_first_and_what_was_wanted_long_ago_is_forgotten(
    server, open_metadata, monkeypatch, pause, order
):
    monkeypatch.setattr("movierec.posters.wishes.ONE_WISH", pause)
    monkeypatch.setattr("movierec.posters.wishes.WAITING", 3)
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.films = [tmdb_film(number, f"Film {number}x", 2000) for number in range(1, 9)]
    numbers = [film["id"] for film in server.films]
    titles = [f"Film {number}x (2000)" for number in numbers]
    many = pd.DataFrame({"movie_id": numbers, "title": titles, "year": 2000})
    server.faults["query=Film+1x"] = lambda handler: server.released.wait(5)
    films, answers = open_metadata(tmdb(server), many), Answers()

    films.ask(many.iloc[:1], answers)  # keeps the only thread waiting
    until(lambda: server.seen)
    films.ask(many.iloc[1:5], answers)
    films.ask(many.iloc[6:], answers)
    server.faults.clear()
    server.released.set()
    until(lambda: not films._wishes._callers)
    films.close()

    assert [n for n in answers.came if n != 1] == order


def test_films_looked_up_beforehand_are_counted_and_known(server, open_metadata):
    films, told = open_metadata(tmdb(server)), []
    server.faults["/poster949"] = lambda handler: send(handler, {}, status=404)

    counts = prefetch(films, MOVIES, lambda *state: told.append(state))

    assert counts == {"films": 3, "found": 2, "posters": 1, "failed": 0}
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert films.known(1).poster
    assert films.known(2).poster is None


def test_a_provider_that_fails_is_left_alone_and_then_asked_again(
    server, open_metadata, monkeypatch, caplog
):
    monkeypatch.setattr("movierec.posters.wishes.REST", 0.4)
    server.faults["/3/"] = say({}, status=500)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), answers)
    until(lambda: caplog.records)
    asked = len(server.seen)
    server.faults.clear()

    films.ask(rows(2), answers)
    time.sleep(0.1)
    assert len(server.seen) == asked

    answers.wait(2)  # when the rest is over


def test_a_key_that_is_refused_is_not_tried_again(server, open_metadata, monkeypatch, caplog):
    monkeypatch.setattr("movierec.posters.wishes.REST", 0.0)
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.faults["/3/"] = say({"status_code": 7, "success": False}, status=401)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(MOVIES, answers)
    until(lambda: caplog.records)
    films.ask(MOVIES, answers)
    time.sleep(0.05)
    assert len(server.seen) == 1
    assert "TMDB does not accept the key" in caplog.text


def test_a_film_with_a_bad_answer_is_spared(server, open_metadata, caplog):
    server.faults["query=The+Matrix"] = say([])
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), answers)
    until(lambda: caplog.records)
    films.ask(rows(1, 2), answers)
    answers.wait(2)
    assert server.paths().count("/3/search/movie") == 2  # one each


def test_a_page_whose_callback_fails_keeps_no_other_from_its_picture(server, open_metadata, caplog):
    def failing(movie_id: int, details: Details) -> None:
        raise RuntimeError("the card is gone")

    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), failing)
    films.ask(rows(1), answers)
    films.ask(rows(2), answers)
    answers.wait(1, 2)
    assert "the card is gone" in caplog.text


def test_a_closed_one_ends_at_once_and_calls_nobody(server, open_metadata):
    server.faults["/3/"] = lambda handler: server.released.wait(2)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(MOVIES, answers)
    until(lambda: server.seen)
    began = time.monotonic()
    films.close()
    assert time.monotonic() - began < 1.5
    films.ask(MOVIES, answers)
    assert films.known(1) is None
    server.faults.clear()
    server.released.set()
    time.sleep(0.1)
    assert answers.came == {}


def test_what_is_known_is_told_at_once(server, open_metadata):
    films = open_metadata(tmdb(server))
    films.look_up(MATRIX)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        films.known(1)
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.002
