"""A browser of the system for all of these tests, and an eye on what goes wrong in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from worlds import PROJECT

from benchmarks.serving import Served

PICTURES = PROJECT / "reports" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 30_000  # milliseconds; a machine that does much else is slow, not broken
HARMLESS = re.compile(r"shared (singleton )?module")  # JupyterLab's own


@pytest.fixture(scope="package")  # while Playwright is there, its loop runs in the tests' thread
def browser() -> Iterator[Any]:
    missing = [name for name in ("playwright", "axe_playwright_python") if not find_spec(name)]
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing.append(" or ".join(BROWSERS))
    if missing:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip  # CI installs them
        stop(f"not installed: {', '.join(missing)}")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


class Visitor:
    """A page in a browser of its own, and all that went wrong there.

    Attributes:
        page: Playwright's.
        asked: addresses of the requests.
        wrong: errors of the console and of scripts, answers of failure, requests to other hosts.
    """

    def __init__(self, browser: Any, name: str, **settings: Any) -> None:
        settings = {"viewport": {"width": 1280, "height": 860}, "locale": "en"} | settings
        self.context = browser.new_context(reduced_motion="reduce", **settings)
        self.context.set_default_timeout(PATIENCE)
        self.page, self.name, self.wrong = self.context.new_page(), name, []
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("response", self._answered)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and not HARMLESS.search(message.text):
            self.wrong.append(f"console: {message.text}")

    def _answered(self, answer: Any) -> None:
        if answer.status >= 400:
            self.wrong.append(f"{answer.status} {answer.url}")

    def open(self, address: str) -> None:
        """Open an address, cut off from everything but its own server."""
        home = re.match(r"https?://[^/]+", address)[0]

        def only_own(route: Any) -> None:
            if route.request.url.startswith((home, "blob:", "data:")):
                route.continue_()
            else:
                self.wrong.append(f"asked another host: {route.request.url}")
                route.abort()

        self.page.route("**/*", only_own)
        self.page.goto(address)

    def films(self) -> list[int]:
        """The ids on the list that is shown, once it is there."""
        self.page.locator(".mr-view:not([aria-busy])").wait_for(state="attached")
        cards = self.page.locator(".mr-grid:not(.mr-ghosts) > [data-film]")
        cards.first.wait_for()
        return [int(x) for x in cards.evaluate_all("nodes => nodes.map((n) => n.dataset.film)")]

    def star(self, n: int) -> None:
        """Give the film of the deck n stars, and wait for the list that comes of it."""
        deck = self.page.locator(".mr-deck")
        with self.page.expect_response("**/for-new-user"):
            deck.get_by_role("radio").nth(n - 1).click()
        self.page.locator(".mr-view:not([aria-busy])").wait_for(state="attached")

    def view(self, name: str) -> None:
        self.page.get_by_role("navigation").get_by_role("button", name=name, exact=True).click()

    def picture(self, state: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{self.name}-{state}.png")

    def close(self) -> None:
        self.page.unroute_all(behavior="ignoreErrors")
        self.context.close()


@pytest.fixture
def visitor_of(browser: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    """Visitors of addresses; the test fails if anything went wrong in the browser."""
    visitors: list[Visitor] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")

    def come(address: str, **settings: Any) -> Visitor:
        visitors.append(Visitor(browser, name, **settings))
        visitors[-1].open(address)
        return visitors[-1]

    yield come
    wrong = [line for visitor in visitors for line in visitor.wrong]
    for visitor in visitors:
        visitor.close()
    assert not wrong


@pytest.fixture
def visit(visitor_of: Callable[..., Visitor], site: Served) -> Iterator[Callable[..., Visitor]]:
    """Visitors of the page; the test fails if anything went wrong in its server, too."""
    before = len(site.said())

    def come(path: str = "/", **settings: Any) -> Visitor:
        visitor = visitor_of(f"{site.url}{path}", **settings)
        visitor.page.locator(".mr-deck [role=radio]").first.wait_for(state="attached")
        return visitor

    yield come
    assert "Traceback" not in site.said()[before:], site.said()[before:]
