"""The page as people meet it: with mouse, keyboard and screen reader, wide, on a phone, offline."""

from __future__ import annotations

import json
import os
import re

import pytest

if not os.environ.get("CI"):  # where they must be there
    pytest.importorskip("playwright", reason="see the group `test` in pyproject.toml")
    pytest.importorskip("axe_playwright_python", reason="see the group `test`")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

pytestmark = pytest.mark.long

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def faults(me) -> list[str]:
    """What a page keeps from people with disabilities, by axe."""
    found = Axe().run(me.page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


def test_first_screen_says_what_it_is_and_stars_change_the_list(visit):
    me = visit()
    expect(me.page.get_by_role("heading", name="Which film next?")).to_be_visible()
    before = me.films()
    assert not [path for path in me.asked if "/api/" in path]  # they came with the page
    expect(me.page.locator(f'[data-film="{before[0]}"]').first).to_be_in_viewport()
    me.picture("first")
    for n in (5, 1, 4):
        me.star(n)
    assert me.films() != before
    expect(me.page.get_by_text("Your films (3)")).to_be_visible()
    expect(me.page.locator(".mr-why").first).to_contain_text("because you")
    known = int(me.page.get_by_role("progressbar").get_attribute("aria-valuenow"))
    assert 10 < known < 100
    me.picture("stars")
    after = me.films()
    me.page.reload()
    assert me.films() == after  # it lies in this browser
    me.page.locator(".mr-chip-gone").first.click()
    expect(me.page.get_by_text("Your films (2)")).to_be_visible()
    me.page.get_by_role("button", name="Undo").click()
    expect(me.page.get_by_text("Your films (3)")).to_be_visible()
    me.page.get_by_text("What is kept").click()
    me.page.get_by_role("button", name="Forget me").click()
    expect(me.page.get_by_text("Your films (0)")).to_be_visible()
    assert me.films() == before
    assert me.page.evaluate("localStorage.length") == 0


def test_a_film_has_an_address_reasons_and_a_way_back(visit):
    me = visit()
    me.star(5)
    me.star(2)
    film = me.films()[0]
    me.page.locator(f'.mr-grid [data-film="{film}"] .mr-open').click()
    sheet = me.page.get_by_role("dialog")
    expect(sheet.get_by_role("heading", name="Films like it")).to_be_visible()
    assert me.page.url.endswith(f"#film={film}")
    sheet.get_by_text("Why, in figures").click()
    expect(sheet.get_by_role("table").first).to_be_visible()
    assert not faults(me)
    me.picture("sheet")
    me.page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(me.page).to_have_url(re.compile(r"^[^#]*$"))
    me.page.go_back()
    expect(sheet.get_by_role("heading", name="Films like it")).to_be_visible()


def test_all_can_be_done_with_the_keyboard(visit):
    me = visit()
    me.films()
    keys = me.page.keyboard
    for key, count in (("5", 1), ("0", 1), ("2", 2)):
        with me.page.expect_response("**/for-new-user"):
            keys.press(key)
        expect(me.page.get_by_text(f"Your films ({count})")).to_be_visible()
    with me.page.expect_response("**/for-new-user"):  # after which the deck is drawn anew
        keys.press("u")
    expect(me.page.get_by_text("Your films (1)")).to_be_visible()
    first = me.page.locator(".mr-deck [role=radio]").first
    first.focus()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert me.page.evaluate("document.activeElement.getAttribute('aria-label')") == "3 stars"
    with me.page.expect_response("**/for-new-user"):
        keys.press("Enter")
    expect(me.page.get_by_text("Your films (2)")).to_be_visible()
    # the next film's stars have the focus: nothing falls back to the top of the page
    assert me.page.evaluate("!!document.activeElement.closest('.mr-deck')")
    me.page.get_by_role("searchbox").first.focus()
    keys.type("the ")
    expect(me.page.locator(".mr-searching .mr-row").first).to_be_visible()
    assert me.page.evaluate("document.activeElement.value") == "the "


@pytest.mark.parametrize("settings", [{}, {"color_scheme": "dark", "locale": "zh-CN"}, PHONE])
def test_every_view_is_clean_for_a_screen_reader(visit, settings):
    me = visit(**settings)
    me.star(5)
    phone, chinese = "is_mobile" in settings, "locale" in settings
    views = (
        ["为你推荐", "一起看", "某个人", "地图"]
        if chinese
        else ["For you", "Together", "Others", "Map"]
    )
    if chinese:
        assert me.page.locator("html").get_attribute("lang") == "zh-CN"
        expect(me.page.get_by_text("你的电影（1）")).to_be_visible()
    if phone:
        assert not faults(me)
        me.picture("rate")
        me.page.locator(".mr-bar button").nth(1).click()
    for n, name in enumerate(views):
        me.page.locator(".mr-tab").nth(n).click()
        if name in (views[1], views[2]):
            me.films()
        if name == views[0]:
            me.page.locator(".mr-tuning summary").click()
        if name == views[3]:
            me.page.locator("canvas").wait_for()
        assert not faults(me), name
        me.picture(f"view-{n}")
    if phone:
        for n in (2, 3):
            me.page.locator(".mr-bar button").nth(n).click()
            assert not faults(me)
            me.picture(f"pane-{n}")


@pytest.mark.parametrize("width", [320, 640])
def test_nothing_is_cut_on_a_narrow_screen_or_at_200_percent(visit, width):
    """640 pixels are what is left of 1280 at 200 %."""
    me = visit(viewport={"width": width, "height": 640})
    for n in range(4):
        me.page.locator(".mr-bar button").nth(n).click()
        assert me.page.evaluate("document.documentElement.scrollWidth") <= width
        stars = me.page.locator(".mr-star:visible")
        for place in range(min(stars.count(), 5)):
            box = stars.nth(place).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    me.picture("me")


def test_what_is_left_out_goes_at_once_and_comes_back_by_undo_where_it_was_said(visit):
    me = visit(viewport={"width": 390, "height": 780}, is_mobile=True, has_touch=True)
    me.page.locator(".mr-bar").get_by_role("button", name="For you").click()
    first = me.page.locator(".mr-grid .mr-card").first
    film = me.page.locator(f".mr-card[data-film='{first.get_attribute('data-film')}']")
    first.locator(".mr-open").click()
    me.page.locator(".mr-sheet").get_by_role("button", name="Not for me").click()
    expect(film).to_have_count(0)
    me.picture("left-out")
    me.page.locator(".mr-toast").get_by_role("button", name="Undo").click()
    expect(film).to_have_count(1)
    expect(me.page.locator(".mr-toast")).to_be_empty()


def test_conditions_that_nothing_meets_are_loosened_by_a_button(visit):
    me = visit()
    me.page.locator(".mr-tuning summary").click()
    genre = me.page.locator(".mr-tuning .mr-chip").last
    genre.click()
    me.page.get_by_label("from").fill("2000")
    me.page.keyboard.press("Tab")
    loosen = me.page.get_by_role("button", name=re.compile("Any (genre|year)")).first
    expect(me.page.get_by_text("No film meets all of this.")).to_be_visible()
    me.picture("nothing")
    loosen.click()
    assert me.films()
    me.page.get_by_role("button", name="Back to how it was").click()
    expect(genre).to_have_attribute("aria-pressed", "false")


def test_without_a_connection_what_is_there_stays_and_it_goes_on_by_itself(visit):
    me = visit()
    before = me.films()
    me.context.set_offline(True)
    me.page.locator(".mr-deck").get_by_role("radio").nth(4).click()
    expect(me.page.get_by_role("alert")).to_contain_text("No connection")
    assert me.films() == before
    me.picture("offline")
    me.page.locator(".mr-grid .mr-open").first.click()
    expect(me.page.get_by_role("dialog")).to_contain_text("No connection")
    me.wrong.clear()  # the browser's own words for it
    me.context.set_offline(False)
    expect(me.page.locator(".mr-alarm")).to_have_text("")
    expect(me.page.get_by_role("heading", name="Films like it")).to_be_visible()
    me.page.keyboard.press("Escape")
    expect(me.page.locator(".mr-why").first).to_contain_text("because you")
    me.wrong.clear()


def test_a_history_from_elsewhere_is_brought_in_and_a_broken_one_is_told(visit, small_best):
    me = visit()
    films = small_best.tables.movies.iloc[:4]
    lines = [f'"{film.title}",{film.year},5' for film in films.itertuples()] + ["Nowhere,1999,3"]
    good = {"name": "ratings.csv", "mimeType": "text/csv"}
    me.page.get_by_text("Your history").click()
    choose = me.page.get_by_label("Open a file")
    choose.set_input_files(good | {"buffer": ("title,year,stars\n" + "\n".join(lines)).encode()})
    box = me.page.get_by_role("dialog")
    expect(box).to_contain_text("Films found: 4.")
    expect(box).to_contain_text("Not in this data: 1")
    me.picture("history")
    box.get_by_role("button", name="Add 4 to your films").click()
    expect(me.page.get_by_text("Your films (4)")).to_be_visible()
    choose.set_input_files(good | {"buffer": b"title,year,stars\nHeat,1995,loved"})
    expect(box).to_contain_text("line 2 gives 'Heat' the stars 'loved'")
    me.picture("broken")
    assert me.wrong == [f"{line}" for line in me.wrong if "422" in line]
    me.wrong.clear()
    me.page.keyboard.press("Escape")
    with me.page.expect_download() as saved:
        me.page.get_by_role("button", name="Save my profile").click()
    kept = json.loads(saved.value.path().read_text("utf-8"))
    assert [one["movie_id"] for one in kept["ratings"]] == films["movie_id"].tolist()


def test_what_another_has_put_into_the_browser_does_no_harm(visit):
    me = visit()
    for kept in ("{", '{"data": "x"}', '{"data": "small", "state": {"ratings": 5}}'):
        me.page.evaluate("text => localStorage.setItem('movierec.explorer.1', text)", kept)
        me.page.reload()
        assert me.films()
