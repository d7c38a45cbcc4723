"""A page of a report of notebooks, opened from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from nbformat.v4 import new_code_cell, new_notebook, new_output


def test_columns_of_words_stand_on_the_left(browser: Any, tmp_path: Path) -> None:
    from movierec.reports.pages import notebook_page

    frame = pd.DataFrame(
        {"title": ["Alien", "Up"], "stars": [4.5, None], "range": ["1–2", "–"], "ids": [[1], [2]]}
    )
    notebook = new_notebook(cells=[new_code_cell("frame")])
    shown = new_output("execute_result", {"text/html": frame.to_html()}, execution_count=1)
    notebook.cells[0].outputs = [shown]
    source = tmp_path / "01_one.html"
    source.write_text(notebook_page(notebook, "01_one", {"01_one": "One"}), "utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(source.as_uri())
        left = page.locator(".words").all_text_contents()
        assert left == ["", "title", "ids", "0", "Alien", "[1]", "1", "Up", "[2]"]
        sides = [
            page.locator("td").nth(n).evaluate("e => getComputedStyle(e).textAlign")
            for n in range(4)
        ]
        assert sides == ["left", "right", "right", "left"]
