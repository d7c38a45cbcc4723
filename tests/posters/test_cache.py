"""What is kept of answers, for how long, and the pace that all share; also on a bad disk."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import HEAT, HTML, MATRIX, MOVIES, NOBODY, SVG, say, tmdb, until

from movierec.posters.films import NOTHING, Film, ProviderError
from movierec.posters.metadata import AGAIN, KEPT, Metadata


def test_a_film_that_the_provider_does_not_have_is_asked_for_again_only_later(
    server, open_metadata, monkeypatch
):
    films = open_metadata(tmdb(server))
    assert films.look_up(NOBODY) == NOTHING
    asked = len(server.seen)
    assert films.look_up(NOBODY) == films.known(3) == NOTHING
    assert len(server.seen) == asked

    monkeypatch.setattr(time, "time", lambda now=time.time: now() + AGAIN)
    films.look_up(NOBODY)
    assert len(server.seen) > asked


def test_an_answer_expires(server, open_metadata, monkeypatch):
    films = open_metadata(tmdb(server))
    films.look_up(MATRIX)
    assert films.known(1)
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + KEPT)
    assert films.known(1) is None


def test_threads_that_read_at_once_get_what_each_asked_for(server, open_metadata):
    films = open_metadata(tmdb(server))
    kept = {film: films.look_up(film) for film in (MATRIX, HEAT)}

    def mistaken(film: Film) -> int:
        return sum(films._cache.get(film) != kept[film] for _ in range(1_000))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(mistaken, [MATRIX, HEAT] * 2)) == 0


def test_retry_after_is_honoured_by_all_who_share_the_cache(server, open_metadata):
    server.faults["query=The+Matrix"] = say({}, status=429, Retry_After="1")
    ours, theirs = open_metadata(tmdb(server)), open_metadata(tmdb(server))
    thread = threading.Thread(target=lambda: _silenced(ours.look_up, MATRIX))
    thread.start()
    until(lambda: server.seen)
    time.sleep(0.05)
    server.faults.clear()

    theirs.look_up(HEAT)
    thread.join()

    first, *later = (at for *_, at in server.seen)
    assert min(later) - first >= 0.9


def _silenced(call: Callable[[Film], object], film: Film) -> None:
    with contextlib.suppress(ProviderError):
        call(film)


def test_who_wants_to_be_left_alone_for_long_is_not_waited_for(server, open_metadata):
    server.faults["/3/"] = say({}, status=429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")
    films = open_metadata(tmdb(server))
    began = time.monotonic()
    with pytest.raises(ProviderError, match="left alone"):
        films.look_up(MATRIX)
    with pytest.raises(ProviderError, match="left alone"):
        films.look_up(HEAT)
    assert time.monotonic() - began < 2
    assert len(server.seen) == 1


def test_who_gives_up_waiting_takes_no_turn(server, open_metadata):
    films = open_metadata(tmdb(server, interval=50.0))
    films._cache.rest(100.0)
    for _ in range(5):
        with pytest.raises(ProviderError, match="left alone"):
            films._cache.turn()
    assert films._cache.write("SELECT next FROM turns", ())[0][0] < time.time() + 100.0


def test_a_clock_that_was_wrong_keeps_nobody_away_for_long(server, open_metadata):
    films = open_metadata(tmdb(server, interval=1e9))
    films._cache.turn()
    with pytest.raises(ProviderError, match="left alone"):
        films._cache.turn()
    open_metadata(tmdb(server))._cache.turn()


def test_processes_share_the_pace(server, open_metadata):
    made = [open_metadata(tmdb(server, interval=0.1)) for _ in range(2)]
    threads = [
        threading.Thread(target=films.look_up, args=[film])
        for films, film in zip(made, (MATRIX, HEAT), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(at for *_, at in server.seen)
    assert len(times) == 4
    assert times[-1] - times[0] > 0.25


def test_a_damaged_cache_is_told_and_left_alone(server, open_metadata, tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tmdb.sqlite").write_bytes(HTML * 100)
    films = open_metadata(tmdb(server))
    assert "If it is damaged, remove it" in caplog.text
    films.look_up(MATRIX)
    assert films.known(1)
    assert (tmp_path / "cache" / "tmdb.sqlite").read_bytes() == HTML * 100


def test_a_cache_of_somebody_else_shows_nothing_that_was_not_written_here(
    server, open_metadata, tmp_path
):
    films = open_metadata(tmdb(server))
    films.look_up(MATRIX)
    with sqlite3.connect(tmp_path / "cache" / "tmdb.sqlite") as db:
        db.execute("UPDATE answers SET title = x'3C', overview = x'00', poster = ?", [SVG])
    db.close()
    assert films.known(1) == NOTHING


@pytest.mark.parametrize(
    "laid",
    [
        "CREATE TRIGGER t BEFORE DELETE ON answers BEGIN INSERT INTO turns WITH RECURSIVE "
        "r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 2, n FROM r; END",
        "CREATE INDEX i ON answers(hex(zeroblob(100)))",
    ],
)
def test_what_runs_by_itself_in_a_cache_of_somebody_else_is_not_run(
    server, open_metadata, tmp_path, caplog, laid
):
    open_metadata(tmdb(server)).close()
    with sqlite3.connect(tmp_path / "cache" / "tmdb.sqlite") as db:
        db.execute("INSERT INTO answers VALUES ('en', 'x', 1, '', '', '')")
        db.execute(laid)
    db.close()
    open_metadata(tmdb(server))
    assert "it holds what was not made here" in caplog.text


def test_without_a_place_on_the_disk_answers_are_kept_in_memory(server, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    films = Metadata(tmdb(server), MOVIES, tmp_path / "file" / "cache")
    films.look_up(MATRIX)
    assert films.known(1).title == "The Matrix"
    assert "kept in memory" in caplog.text
    films.close()


def test_a_disk_that_fails_later_takes_nothing_from_the_page(server, open_metadata, caplog):
    films = open_metadata(tmdb(server))
    films._cache._written.execute("DROP TABLE answers")
    films._cache._written.execute("CREATE VIEW answers AS SELECT 1 WHERE 0")
    films.ask([1])
    until(lambda: caplog.records)
    assert films.known(1) is None
    films.ask([2])  # and nothing is raised


def test_a_full_disk_takes_nothing_from_the_page(server, small_disk, caplog):
    films = Metadata(tmdb(server), MOVIES, small_disk)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(b"x" * 2**20)
    films.ask([1])
    until(lambda: "disk is full" in caplog.text)
    assert films.known(1) is None
    films.ask([2])  # and nothing is raised
    films.close()
