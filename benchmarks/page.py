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
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from benchmarks.measure import Row
from benchmarks.serving import Served, served
from benchmarks.soak import memory

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LIST = ".mr-cards:has(h2:text-is('Films for you'), h3:text-is('Films for you'))"
OFFERS = ".mr-cards:has(h2:text-is('Do you know these?'), h3:text-is('Do you know these?'))"
ALIKE = ".mr-cards:has(h2:text-is('Films like it'), h3:text-is('Films like it'))"
# from the click to the frame after the first change of what is watched
TIMED = """([element, watched]) => new Promise((done) => {
  const began = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  }).observe(watched, { childList: true, subtree: true, characterData: true });
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
    page.locator(f"{LIST} .mr-card").first.wait_for()
    return time.perf_counter() - began


def openings(run_dir: Path, ready: bool) -> Row:
    """One opening, in a browser that knows nothing of the page.

    Args:
        run_dir: the run.
        ready: whether a place waits for the visitor, or one has to be made.
    """
    with served(run_dir, "--pool", "1") as site, browser() as own:
        if not ready:
            own.new_page().goto(site.url)  # takes the place that waited
        return {"first films": opened(own.new_context().new_page(), site)}


def actions(run_dir: Path) -> dict[str, Row]:
    """Seconds of each action, in the browser: to the first frame that shows its answer."""
    with served(run_dir, "--pool", "1") as site, browser() as own:
        page = own.new_page()
        opened(page, site)

        def timed(element: Locator, watched: Locator) -> Row:
            handles = [element.element_handle(), watched.element_handle()]
            seconds = page.evaluate(TIMED, handles) / 1000
            page.wait_for_timeout(500)  # what follows the first change is over
            return {"action": seconds}

        star = page.locator(f"{OFFERS} .mr-card").first.get_by_role("radio").last
        films = page.locator(LIST)
        rows = {"a star": timed(star, films)}
        why = films.get_by_role("button", name="Why this film?").first
        rows["why this film"] = timed(why, films.locator("dialog"))
        page.keyboard.press("Escape")
        more = films.get_by_role("button", name="More like this").first
        rows["more like this"] = timed(more, page.locator("body"))
        page.locator(f"{ALIKE} .mr-card").first.wait_for()
        again = page.locator(ALIKE).get_by_role("button", name="More like this").first
        rows["films like it, again"] = timed(again, page.locator(ALIKE))
        return rows


def crowd(run_dir: Path, visitors: int) -> Row:
    """MiB of the server alone and with so many visitors, shared memory counted once."""
    with served(run_dir, "--visitors", str(visitors), "--pool", "1") as site, browser() as own:
        alone = memory(site)
        pages = [own.new_context().new_page() for _ in range(visitors)]
        for page in pages:
            opened(page, site)
        with_all = memory(site)
    return {"alone": alone, "all": with_all, "each": (with_all - alone) / visitors}


def pictures(run_dir: Path, folder: Path) -> list[Path]:
    """README's pictures of the page, small enough to be kept.

    Args:
        run_dir: a run of the sample; pictures of other data may not be passed on.
        folder: where to write.
    """
    written = []

    def keep(page: Page, name: str) -> None:
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
        written.append(path)

    with served(run_dir, "--pool", "1") as site, browser() as own:
        settings: dict[str, Any] = {"viewport": {"width": 1000, "height": 760}}
        page = own.new_context(**settings).new_page()
        opened(page, site)
        for stars in ("5 stars", "1 star", "4 stars"):
            first = page.locator(f"{OFFERS} .mr-card").first
            before = first.get_attribute("data-movie")
            first.get_by_role("radio", name=stars, exact=True).click()
            page.locator(f"{OFFERS} .mr-card:first-child:not([data-movie='{before}'])").wait_for()
        keep(page, "explorer")
        page.locator(LIST).get_by_role("button", name="Why this film?").first.click()
        page.get_by_role("dialog").wait_for()
        keep(page, "reasons")
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Map", exact=True).click()
        page.locator(".mr-map svg").wait_for()
        keep(page, "map")
    return written
