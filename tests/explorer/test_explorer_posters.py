"""The explorer with somebody to ask for posters: its cards are there at once, and may fill in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from film_server import HOSTILE, FilmServer, send, serving

from movierec.explorer import gallery
from movierec.explorer.explorer import Explorer, explorer
from movierec.posters.metadata import Metadata
from movierec.posters.tmdb import Tmdb
from movierec.recommend.recommender import Recommender
from movierec.runs import Run


@pytest.fixture(scope="module")
def recommender(small_best: Run) -> Recommender:
    return small_best.recommender


@pytest.fixture
def server(recommender: Recommender) -> Iterator[FilmServer]:
    with serving(recommender.tables.movies, chinese=HOSTILE) as server:
        yield server


@pytest.fixture
def open_explorer(
    server: FilmServer,
    recommender: Recommender,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], Explorer]]:
    monkeypatch.setattr(
        "movierec.posters.client.LONGEST", 60.0
    )  # a machine that does much else is slow
    # no kernel's loop: Playwright's, which stands still between its tests, would be taken for one
    monkeypatch.setattr(gallery, "_running_loop", lambda: None)
    opened = []

    def make() -> Explorer:
        provider = Tmdb(
            "key",
            "zh-CN",
            api=server.url,
            images=server.url,
            interval=0.0,
            silence=60.0,
            backoff=0.01,
        )
        opened.append(Metadata(provider, recommender.tables.movies, tmp_path))
        return explorer(recommender, metadata=opened[-1])

    yield make
    for metadata in opened:
        metadata.close()


def _filled(page: Explorer) -> bool:
    return all(
        card["poster"] for grid in (page.for_you.offered, page.for_you.list) for card in grid.cards
    )


def _wait(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends, "it did not happen within 60 seconds"
        time.sleep(0.01)


def test_cards_are_there_at_once_and_fill_in(server, open_explorer, recommender):
    server.faults["/3/"] = lambda handler: server.released.wait(60)
    plain = explorer(recommender)

    page = open_explorer()

    assert page.for_you.list.movie_ids == plain.for_you.list.movie_ids
    for card in [*page.for_you.offered.cards, *page.for_you.list.cards]:
        assert not card["poster"]
        assert card["title"] in unescape(card["html"])
    server.faults.clear()
    server.released.set()
    page._session.gallery.ask(page.for_you.list.movie_ids)
    _wait(lambda: _filled(page))
    assert page.for_you.list.movie_ids == plain.for_you.list.movie_ids
    assert page.for_you.list._poster(page.for_you.list.movie_ids[0]).startswith(b"\xff\xd8\xff")


def test_what_a_provider_says_is_escaped_and_named(open_explorer):
    page = open_explorer()
    _wait(lambda: _filled(page))
    for card in page.for_you.list.cards:
        assert "<img" not in card["html"]
        assert "&lt;img src=x onerror=alert(1)&gt;“电影”" in card["html"]
    assert "not endorsed or certified by TMDB" in page.children[-1].value


def test_without_a_provider_nobody_is_named(recommender):
    page = explorer(recommender)
    texts = [child.value for child in page.children if hasattr(child, "value")]
    assert not any("TMDB" in text for text in texts)


def test_a_provider_that_fails_changes_no_card(server, open_explorer, recommender, caplog):
    server.faults["/3/"] = lambda handler: send(handler, b"<html>", kind="text/html")
    page = open_explorer()
    before = [*page.for_you.offered.cards, *page.for_you.list.cards]
    _wait(lambda: bool(caplog.records))
    assert [*page.for_you.offered.cards, *page.for_you.list.cards] == before
    plain = explorer(recommender)
    movie_id = page.for_you.offered.movie_ids[0]
    for either in (page, plain):
        either.for_you.offered.act("rate", movie_id, either.recommender.star_values[-1])
    assert page.for_you.list.movie_ids == plain.for_you.list.movie_ids
    assert page.for_you.rated.movie_ids == [movie_id]
