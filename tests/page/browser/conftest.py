"""A browser of the system, a page that is served, and an eye on what goes wrong in both."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
from worlds import PROJECT

from benchmarks.serving import Served, served
from movierec.runs import Run

playwright = pytest.importorskip(
    "playwright.sync_api", reason="no playwright: see the group `test`"
)
pytest.importorskip("voila", reason="the page needs the extra `app`")

PICTURES = PROJECT / "reports" / "browser"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000  # milliseconds; a machine that does much else is slow, not broken
# JupyterLab's own, of its versions beside Voilà's
HARMLESS = re.compile(r"shared (singleton )?module")


@pytest.fixture(scope="module")  # while Playwright is there, its loop runs in the tests' thread
def browser() -> Iterator[playwright.Browser]:
    missing = [
        name for name in ("playwright", "axe_playwright_python", "voila") if not find_spec(name)
    ]
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


@pytest.fixture(scope="session")
def site(small_best: Run) -> Iterator[Served]:
    with served(small_best.path, "--pool", "2") as site:
        yield site


class Visitor:
    """A page in a browser of its own, and all that went wrong there.

    Attributes:
        page: Playwright's.
        wrong: errors of the console and of scripts, answers of failure, requests to other hosts.
    """

    def __init__(self, browser: playwright.Browser, name: str, **settings: object) -> None:
        settings = {"viewport": {"width": 1200, "height": 900}} | settings
        self.context = browser.new_context(reduced_motion="reduce", **settings)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.name = name
        self.wrong: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("response", self._answered)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._came))

    def _said(self, message: playwright.ConsoleMessage) -> None:
        if message.type == "error" or (
            message.type == "warning" and not HARMLESS.search(message.text)
        ):
            self.wrong.append(f"console: {message.text}")

    def _answered(self, answer: playwright.Response) -> None:
        if answer.status >= 400:
            self.wrong.append(f"{answer.status} {answer.url}")

    def _came(self, frame: str | bytes) -> None:
        """A message of the kernel; what a callback raises comes as text that nobody shows."""
        text = frame if isinstance(frame, str) else frame.decode("utf-8", errors="replace")
        if "Traceback (most recent call last)" in text:
            self.wrong.append(text[-2000:])

    def open(self, address: str) -> None:
        """Open an address, cut off from everything but its own server."""
        home = re.match(r"https?://[^/]+", address)[0]

        def only_own(route: playwright.Route) -> None:
            if route.request.url.startswith((home, "blob:", "data:")):
                route.continue_()
            else:
                self.wrong.append(f"asked another host: {route.request.url}")
                route.abort()

        self.page.route("**/*", only_own)
        self.page.goto(address)

    def section(self, heading: str) -> playwright.Locator:
        """The grid of cards below a heading."""
        named = self.page.get_by_role("heading", name=heading, exact=True)
        return self.page.locator(".mr-cards").filter(has=named)

    def cards(self, heading: str) -> playwright.Locator:
        return self.section(heading).get_by_role("listitem")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def says(self, heading: str, text: str | re.Pattern[str]) -> None:
        """Wait until the grid says something."""
        from playwright.sync_api import expect

        expect(self.section(heading).get_by_role("status")).to_contain_text(text)

    def picture(self, state: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{self.name}-{state}.png", full_page=True)

    def close(self) -> None:
        self.page.unroute_all(behavior="ignoreErrors")
        self.context.close()


@pytest.fixture
def visitor_of(
    browser: playwright.Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visitor]]:
    """Visitors of addresses; the test fails if anything went wrong in the browser."""
    visitors: list[Visitor] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")

    def come(address: str, **settings: object) -> Visitor:
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

    def come(**settings: object) -> Visitor:
        visitor = visitor_of(f"{site.url}/", **settings)
        visitor.cards("Do you know these?").first.wait_for()
        return visitor

    yield come
    assert "Traceback" not in site.said()[before:], site.said()[before:]
