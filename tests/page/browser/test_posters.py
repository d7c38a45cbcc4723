"""Posters on the real page, of a provider that takes its time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

if not os.environ.get("CI"):  # where they must be there
    pytest.importorskip("playwright", reason="see the group `test` in pyproject.toml")
from film_server import FilmServer, serving
from playwright.sync_api import expect

from benchmarks.serving import Served, served
from movierec.runs import Run


@pytest.fixture
def provider(small_best: Run) -> Iterator[FilmServer]:
    with serving(small_best.tables.movies, chinese="某部电影") as provider:
        yield provider


@pytest.fixture
def site(small_best: Run, provider: FilmServer, tmp_path) -> Iterator[Served]:
    posters = {"TMDB_TOKEN": "secret.token", "MOVIEREC_TMDB_MIRROR": provider.url}
    env = os.environ | posters | {"MOVIEREC_DATA": str(tmp_path), "MOVIEREC_LANGUAGE": "zh-CN"}
    with served(small_best.path, "--workers", "1", env=env) as site:
        yield site


def test_no_card_waits_for_a_poster_which_comes_from_the_page_s_own_address(visit, site, provider):
    answers = threading.Event()

    def wait(handler) -> None:
        answers.wait(60)
        provider.faults = {}
        handler.do_GET()

    provider.faults["/"] = wait
    me = visit(locale="zh-CN")
    before = me.films()
    me.star(5)
    assert me.films() != before
    assert provider.seen  # it was asked, and has not answered
    assert not me.page.locator(".mr-cover img").count()
    answers.set()
    poster = me.page.locator(".mr-grid .mr-cover img").first
    poster.wait_for()
    assert poster.get_attribute("src").startswith(f"{site.url}/api/v1/posters/")
    me.page.wait_for_function("node => node.naturalWidth === 342", arg=poster.element_handle())
    card = me.page.locator(".mr-grid > [data-film]", has=me.page.locator("img")).first
    expect(card.locator(".mr-cover")).to_have_attribute("title", "某部电影")
    expect(card.locator(".mr-row-title")).to_contain_text("某部电影")
    assert {address.split("/api/")[0] for address in me.asked if "/api/" in address} == {site.url}
