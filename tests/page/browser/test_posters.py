"""Posters on the page: cards are there before them, fill in when they come, and stand without."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from film_server import HOSTILE, FilmServer, send, serving
from playwright.sync_api import expect

from benchmarks.serving import Served, served
from movierec.runs import Run


@pytest.fixture(scope="module")
def server(small_best: Run) -> Iterator[FilmServer]:
    with serving(small_best.tables.movies, chinese=HOSTILE) as server:
        yield server


@pytest.fixture
def site(
    small_best: Run, server: FilmServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The page of somebody who has a key, and asks the server in the provider's place."""
    environment = os.environ | {
        "TMDB_TOKEN": "key",
        "MOVIEREC_TMDB_MIRROR": server.url,
        "MOVIEREC_LANGUAGE": "zh-CN",
        "MOVIEREC_DATA": str(tmp_path_factory.mktemp("data")),
    }
    with served(small_best.path, "--pool", "1", env=environment) as site:
        yield site


def pictures(visitor):
    """Of the films that are offered for rating."""
    return visitor.cards("Do you know these?").locator(".mr-poster img")


def boxes(visitor):
    """Where the cards stand, all of them."""
    return visitor.page.locator(".mr-card").evaluate_all(
        "all => all.map(c => JSON.stringify(c.getBoundingClientRect()))"
    )


def test_cards_are_there_before_their_posters(visit, server):
    me = visit()
    expect(pictures(me)).to_have_count(6)
    opened = threading.Event()
    server.faults["/3/"] = lambda handler: opened.wait(4)  # then no answer: it is asked again

    me.page.get_by_role("button", name="Ask me about other films").click()

    unknown = me.cards("Do you know these?").filter(has_not=me.page.locator("img"))
    expect(unknown).not_to_have_count(0)  # a film of the list below may be known already
    expect(me.cards("Do you know these?")).to_have_count(6)
    expect(unknown.first.locator(".mr-poster-title")).to_be_visible()
    before = boxes(me)
    me.picture("1-before")
    server.faults.clear()
    opened.set()
    expect(pictures(me)).to_have_count(6)
    assert pictures(me).evaluate_all("all => all.every(i => i.complete && i.naturalWidth > 0)")
    assert boxes(me) == before  # nothing moved
    me.picture("2-after")


def test_what_a_provider_says_is_shown_as_text_and_the_provider_is_named(visit):
    me = visit()
    expect(pictures(me)).to_have_count(6)
    expect(me.cards("Do you know these?").first.get_by_role("heading")).to_have_text(HOSTILE)
    expect(me.page.locator("img[src=x]")).to_have_count(0)
    expect(me.page.get_by_text("not endorsed or certified by TMDB")).to_be_visible()


@pytest.fixture
def failing(server: FilmServer) -> Iterator[None]:
    """The server fails; asked for before the page, whose waiting places ask for films at once."""
    server.faults["/3/"] = lambda handler: send(handler, b"<html>", kind="text/html")
    yield
    server.faults.clear()


def test_the_page_works_on_while_the_provider_does_not(failing, visit, site):
    me = visit()
    me.cards("Do you know these?").first.get_by_role("radio", name="5 stars").click()
    me.says("Films for you", "From your stars for 1 film")
    expect(me.cards("Do you know these?")).to_have_count(6)
    expect(pictures(me)).to_have_count(0)
    me.picture("without")
    until = time.monotonic() + 30
    while "not application/json" not in site.said():  # told where the server was started
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "movierec.posters.metadata: " in site.said()
