"""What a stranger's data says is text in notebooks and on pages: no tag, mark or equation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from reading import Read

import movierec
from movierec.data.tables import Tables
from movierec.lessons.tables import as_text
from movierec.models.best import BestRecipe
from movierec.reports.notebooks import find_notebooks
from movierec.reports.pages import html, notebook_page
from movierec.training import train

pytestmark = pytest.mark.long

TAGS = "<img src=x onerror=alert(1)><script>alert(2)</script>"
MARKS = "**bold** [link](javascript:alert(3)) ![](x) `code` ~~gone~~"
LINKS = "<https://x.example> www.x.example a@x.example"
LATEX = r"$\text{<script>alert(4)</script>}$ \\(x\\) \begin{matrix}x\end{matrix}"
HOSTILE = f"{TAGS} {MARKS} {LINKS} {LATEX}"


@pytest.fixture(scope="module")
def hostile(small_tables: Tables) -> Tables:
    movies = small_tables.movies.copy()
    movies["title"] = HOSTILE + " " + movies["title"]
    movies["genres"] = movies["genres"].str.replace("|", f"{TAGS}{LATEX}|", regex=False)
    jobs = tuple(f"{TAGS}{name}" for name in small_tables.occupations)
    return dataclasses.replace(small_tables, name=HOSTILE, movies=movies, occupations=jobs)


def made_by_data(text: str) -> list[str]:
    """The elements that the data of `hostile` would make, if it could."""
    found = BeautifulSoup(text, "html.parser")
    made = "[onerror], script:not([nonce]), img:not([alt]), del, math, a[href^='javascript']"
    made += ", a[href*='x.example'], iframe, code:-soup-contains-own('code')"
    return [str(each)[:200] for each in found.select(made)]


@pytest.mark.parametrize("name", ["01_data", "06_recommend"])
def test_titles_genres_jobs_and_names_of_data_make_no_element(
    hostile: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("MOVIEREC_PROGRESS", "off")
    monkeypatch.setattr(movierec, "load_dataset", lambda *_: hostile)
    if name == "06_recommend":
        train(hostile, BestRecipe("best", factors=6, passes=8, members=2), run_dir=tmp_path)
    read = Read(name, run_dir=str(tmp_path))
    told = [html(said, ()) for said in read.said]
    assert made_by_data(read.html) == []
    assert made_by_data("".join(told)) == []
    assert "alert(2)" in BeautifulSoup(read.html, "html.parser").text  # it is there to be read
    if name == "06_recommend":
        assert " ".join(HOSTILE.split()) in BeautifulSoup("".join(told), "html.parser").text
    # our own text has equations
    read.notebook.cells = [cell for cell in read.notebook.cells if cell.cell_type == "code"]
    page = notebook_page(read.notebook, name, {name: HOSTILE})
    assert made_by_data(page) == []


@pytest.mark.parametrize(
    "equation", [r"\color{\big", r"\frac\big_\hspace{}", "^" * 3000, r"\frac{", r"\left("]
)
def test_what_is_half_an_equation_is_shown_as_it_stands(equation: str) -> None:
    assert BeautifulSoup(html(f"${equation}$", ()), "html.parser").text.strip() == f"${equation}$"


def test_words_of_an_equation_are_no_tags() -> None:
    shown = html(r"$\text{<script>alert(77)</script>} < \lambda$", ())
    assert "<mtext>&lt;script&gt;alert(77)&lt;/script&gt;</mtext><mo>&lt;</mo><mi>λ</mi>" in shown


def test_text_for_markdown_reads_as_it_was_written() -> None:
    for said in (HOSTILE, "M*A*S*H [REC] (1970)", "Lilo & Stitch &lt;2&gt;", "a_b_ # 1\n\n# 2"):
        shown = BeautifulSoup(html(f"**{as_text(said)}**", ()), "html.parser")
        assert shown.strong.text == " ".join(said.split())
        assert [each.name for each in shown.find_all(True)] == ["p", "strong"]
    assert as_text("Se7en (1995): It's 100 %, isn't it?") == "Se7en (1995): It's 100 %, isn't it?"


@pytest.mark.parametrize("path", find_notebooks(), ids=lambda path: path.stem)
def test_notebooks_style_tables_through_what_escapes_them(path: Path) -> None:
    assert ".style." not in path.read_text("utf-8").replace("plt.style.", "")
