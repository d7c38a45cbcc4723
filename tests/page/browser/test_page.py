"""The page as people meet it: in a browser, by mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import json
import os
import re

import pytest

if not os.environ.get("CI"):  # where they must be there
    pytest.importorskip("axe_playwright_python", reason="see the group `test` in pyproject.toml")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.long

LAST = {  # by tab, what it shows last
    "For you": "Save my profile as a file",
    "A film": "People in the data who like it most",
    "A person": "They would give",
    "Map": "and the films most like it",
}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def titles(visitor, heading):
    """The films of a grid, in their order."""
    return visitor.cards(heading).evaluate_all("cards => cards.map(c => c.dataset.movie)")


def rate(visitor, stars, count):
    """Give stars to the first film that is offered; `count` films then have some."""
    first = visitor.cards("Do you know these?").first
    first.get_by_role("radio", name=f"{stars} star", exact=False).click()
    visitor.says("Do you know these?", "You gave")
    visitor.says("Films for you", f"From your stars for {count} film")


def test_new_visitor_goes_from_the_first_star_to_reasons(visit):
    me = visit()
    me.says("Films for you", "What most people like")
    before = titles(me, "Films for you")
    me.picture("1-empty")
    for count, stars in enumerate((5, 1, 4), 1):
        rate(me, stars, count)
    after = titles(me, "Films for you")
    assert after != before
    expect(me.cards("Your films")).to_have_count(3)
    me.picture("2-rated")
    me.cards("Films for you").first.get_by_role("button", name="Why this film?").click()
    dialog = me.page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text("Why ")
    me.picture("3-reasons")
    me.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    me.cards("Your films").first.get_by_role("button", name="Take back").click()
    me.says("Films for you", "From your stars for 2 films")
    expect(me.cards("Your films")).to_have_count(2)


def load(visitor, file):
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.get_by_role("button", name="Load my profile").click()
    chooser.value.set_files(file)


def test_profile_is_kept_as_a_file_and_loaded_again(visit, tmp_path):
    me = visit()
    rate(me, 5, 1)
    with me.page.expect_download() as download:
        me.page.get_by_role("link", name="Save my profile").click()
    file = tmp_path / "profile.json"
    download.value.save_as(file)
    assert len(json.loads(file.read_text("utf-8"))["ratings"]) == 1
    mine = titles(me, "Films for you")
    other = visit()
    load(other, file)
    other.says("Films for you", "From your stars for 1 film")
    assert titles(other, "Films for you") == mine
    file.write_text("[" * 100_000)
    load(other, file)
    expect(other.page.get_by_text(re.compile("^Not loaded:"))).to_be_visible()
    other.picture("not-loaded")


def test_film_is_found_and_looked_at(visit):
    me = visit()
    me.tab("A film")
    me.cards("Films like it").first.wait_for()
    before = titles(me, "Films like it")
    name = me.cards("Films like it").nth(1).get_by_role("heading").inner_text()
    me.page.get_by_label("Find a film").locator("visible=true").fill(name[:-1].lower())
    expect(me.section("The film").get_by_role("heading", name=name)).to_be_visible()
    expect(me.cards("Films like it").first).not_to_have_attribute("data-movie", before[0])
    expect(me.page.get_by_role("table", name="People in the data who like it most")).to_be_visible()
    me.cards("People who like it also like").first.get_by_role("button", name="More like").click()
    me.picture("film")
    me.page.get_by_label("Find a film").locator("visible=true").fill("qqqqqzzzzz")
    expect(me.page.get_by_text("qqqqqzzzzz").first).to_be_visible()
    me.picture("nothing-matches")


def test_known_person_is_looked_at(visit):
    me = visit()
    me.tab("A person")
    me.says("Films for them", "From what they rated")
    before = titles(me, "Films for them")
    me.page.get_by_role("button", name="Somebody else").click()
    expect(me.cards("Films for them").first).not_to_have_attribute("data-movie", before[0])
    expect(me.page.get_by_role("table", name=re.compile("Their best of"))).to_be_visible()
    me.picture("person")
    me.page.get_by_label("Person", exact=True).fill("987654321")
    me.page.keyboard.press("Enter")
    expect(me.page.get_by_text("That cannot be answered")).to_be_visible()
    me.picture("nobody")


def test_map_shows_films(visit):
    me = visit()
    me.tab("Map")
    expect(me.page.locator(".mr-map svg")).to_be_visible()
    expect(me.page.get_by_text("and the films most like it")).to_be_visible()
    me.picture("map")


def test_lists_are_tuned(visit):
    me = visit()
    plain = titles(me, "Films for you")
    me.page.get_by_role("button", name="Tune the lists").click()
    me.page.get_by_label("Adventurousness").fill("1")
    expect(me.page.get_by_role("button", name="Draw again")).to_be_enabled()
    me.says("Films for you", "seed 0")
    drawn = titles(me, "Films for you")
    me.page.get_by_role("button", name="Draw again").click()
    me.says("Films for you", "seed 1")
    assert len({tuple(plain), tuple(drawn), tuple(titles(me, "Films for you"))}) == 3
    me.page.get_by_label("Drama", exact=True).check()
    genres = me.section("Films for you").locator(".mr-card")
    expect(genres.filter(has_not_text="Drama")).to_have_count(0)
    me.picture("tuned")


@pytest.mark.parametrize(
    "settings", [PHONE, {"color_scheme": "dark"}, {}], ids=["phone", "dark", "light"]
)
def test_every_tab_is_fit_for_everybody(visit, settings):
    """Nothing sticks out of a phone's window, and axe finds nothing that keeps people out."""
    me = visit(**settings)
    rate(me, 5, 1)
    found = []
    for tab, last in LAST.items():
        me.tab(tab)
        expect(me.page.get_by_role("tab", name=tab, exact=True)).to_have_attribute(
            "aria-selected", "true"
        )
        expect(me.page.get_by_text(last).locator("visible=true")).to_be_visible()
        me.picture(tab.replace(" ", "-").lower())
        wide = me.page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
        assert wide <= 0, tab
        for rule in Axe().run(me.page).response["violations"]:
            nodes = [node["html"][:160] for node in rule["nodes"][:3]]
            found.append((tab, rule["impact"], rule["id"], len(rule["nodes"]), nodes))
    if settings.get("color_scheme"):
        colour = me.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", colour)[:3])) < 64
    assert not found, "\n".join(map(str, found))


def test_stars_are_given_by_keyboard_alone(visit):
    me = visit()
    for _ in range(30):
        me.page.keyboard.press("Tab")
        if me.page.evaluate("document.activeElement.getAttribute('role')") == "radio":
            break
    me.page.keyboard.press("End")
    me.page.keyboard.press("Enter")
    me.says("Films for you", "From your stars for 1 film")
    assert me.page.evaluate("document.activeElement !== document.body")


def test_visitors_do_not_see_each_other(visit):
    me, you = visit(), visit()
    before = titles(you, "Films for you")
    rate(me, 1, 1)
    rate(you, 5, 1)
    expect(me.cards("Your films")).to_have_count(1)
    assert titles(you, "Films for you") != before


def test_who_was_away_is_told(visit, site):
    me = visit()
    kernel = me.page.evaluate(
        "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
    )
    me.page.evaluate("kernel => fetch(`/voila/api/shutdown/${kernel}`, { method: 'POST' })", kernel)
    me.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(me.page.get_by_role("alert").get_by_role("button", name="Start again")).to_be_visible()
    me.picture("asleep")
    me.page.get_by_role("button", name="Start again").click()
    me.cards("Do you know these?").first.wait_for()
    me.wrong = [line for line in me.wrong if kernel not in line and "404" not in line]
