"""The page in a browser: how long it takes to open and to answer, and its pictures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from PIL import Image
from playwright.sync_api import Browser, Page, Request, sync_playwright

from benchmarks.measure import Row
from benchmarks.serving import Served, served

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CARD = ".mr-grid:not(.mr-ghosts) > .mr-card"
# from the click to the frame after the first change of what is watched
TIMED = """([element, watched]) => new Promise((done) => {
  const began = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  }).observe(document.querySelector(watched), { childList: true, subtree: true });
  element.click();
})"""


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser of the system without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise click.ClickException(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


def opened(page: Page, site: Served) -> float:
    """Seconds from asking for the page to the first film of the visitor's list."""
    began = time.perf_counter()
    page.goto(site.url)
    page.locator(CARD).first.wait_for()
    return time.perf_counter() - began


def openings(run_dir: Path, count: int) -> list[Row]:
    """Openings, each in a browser that knows nothing of the page; requests and kB of each."""
    rows: list[Row] = []
    with served(run_dir) as site, browser() as own:
        for _ in range(count):
            page = own.new_context().new_page()
            asked: list[Request] = []

            def note(request: Request, asked: list[Request] = asked) -> None:
                asked.append(request)

            page.on("requestfinished", note)
            seconds = opened(page, site)
            sizes = [request.sizes() for request in asked]
            sent = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
            rows.append({"first films": seconds, "requests": len(asked), "kB": sent / 1000})
    return rows[1:]  # the first one starts the browser's own processes


def actions(run_dir: Path) -> dict[str, list[Row]]:
    """Milliseconds of actions, in the browser: to the frame that shows the answer."""
    rows: dict[str, list[Row]] = {}
    with served(run_dir) as site, browser() as own:
        page = own.new_page()
        opened(page, site)
        for n in range(20):
            page.wait_for_timeout(150)
            star = page.locator(".mr-deck").get_by_role("radio").nth(n % 5).element_handle()
            rows.setdefault("a star, to its list", []).append(
                {"milliseconds": page.evaluate(TIMED, [star, ".mr-view"])}
            )
        for n in range(5):
            page.wait_for_timeout(500)  # the list of the last star has come: its cards stay
            film = page.locator(f"{CARD} .mr-open").nth(n).element_handle()
            taken = page.evaluate(TIMED, [film, ".mr-sheet"])
            rows.setdefault("a film, to its sheet", []).append({"milliseconds": taken})
            page.locator(".mr-sheet-top").wait_for()
            page.keyboard.press("Escape")
    return rows


def pictures(run_dir: Path, folder: Path) -> list[Path]:
    """The guide's pictures of the page, small enough to be kept.

    Args:
        run_dir: a run of the sample; pictures of other data may not be passed on.
        folder: where to write.
    """
    written = []

    def keep(page: Page, name: str) -> None:
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        written.append(path)

    with served(run_dir) as site, browser() as own:
        page = own.new_context(viewport={"width": 1200, "height": 800}, locale="en").new_page()
        opened(page, site)
        for stars in (5, 1, 4, 5):
            page.locator(".mr-deck").get_by_role("radio").nth(stars - 1).click()
            page.wait_for_timeout(500)
        page.mouse.move(0, 0)
        keep(page, "explorer")
        page.locator(f"{CARD} .mr-open").first.click()
        page.locator(".mr-charts summary").click()
        page.wait_for_timeout(300)
        keep(page, "reasons")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Map", exact=True).click()
        page.locator("canvas").wait_for()
        page.wait_for_timeout(300)
        keep(page, "map")
        phone: Any = {"width": 390, "height": 780}
        page = own.new_context(viewport=phone, locale="en", is_mobile=True).new_page()
        page.goto(site.url)
        page.locator(".mr-deck-cover").wait_for()
        page.wait_for_timeout(300)
        keep(page, "phone")
    return written
