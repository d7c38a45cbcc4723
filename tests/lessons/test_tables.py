"""Tables are written for reading."""

from __future__ import annotations

import re

import pandas as pd

from movierec.lessons.tables import facts, listed, styled

FILMS = pd.DataFrame(
    {"movie_id": [1200, 3], "title": ["Alien (1979)", None], "score": [0.1234, 2.0], "n": [1234, 5]}
)


def cells(html: str) -> list[str]:
    return [cell.strip() for cell in re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", html)]


def test_places_begin_at_one_and_numbers_are_written_by_what_they_are():
    shown = cells(listed(FILMS, digits=3).to_html())
    assert shown[shown.index("1") :] == [
        *("1", "1200", "Alien (1979)", "0.123", "1,234"),
        *("2", "3", "", "2.000", "5"),
    ]


def test_rows_that_are_no_places_keep_their_names():
    named = FILMS.set_axis(["a", "b"])
    assert "a" in cells(listed(named, ranked=False).to_html())


def test_words_and_their_headings_stand_on_the_left_and_numbers_do_not():
    html = listed(FILMS).to_html()
    left = re.findall(r"([^}]*)\{\s*text-align: left;\s*\}", html)
    assert all("col1" in rule for rule in left)
    assert len(left) == 2  # cells and headings


def test_facts_are_written_by_what_they_are():
    shown = cells(
        facts({"films": 1234, "mean": 3.14159, "filled": "4.47%", "shape": (3, 1)}).to_html()
    )
    told = dict(zip(shown[-8::2], shown[-7::2], strict=True))
    assert told == {"films": "1,234", "mean": "3.142", "filled": "4.47%", "shape": "(3, 1)"}


def test_what_data_says_is_text_in_cells_and_in_names_of_rows_and_columns():
    tag = "<b>x</b>"
    frame = pd.DataFrame({tag: [tag, None], "n": [1.0, 2.5]}, index=[tag, "z"])
    of_frame = styled(frame, {"n": "{:.1f}"}, na_rep="–"), listed(frame, ranked=False)
    for table, places in [*((each, 3) for each in of_frame), (facts({tag: tag}), 2)]:
        shown = table.to_html()
        assert "<b>" not in shown
        assert shown.count("&lt;b&gt;x&lt;/b&gt;") == places
    assert cells(of_frame[0].to_html())[-3:] == ["z", "–", "2.5"]
