"""The notebooks as text: their form, links, exercises and spelling; nothing is run here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from worlds import PROJECT

from movierec.reports.notebooks import find_notebooks, source_folder
from movierec.reports.pages import COVER, needs_and_minutes

SOURCES = find_notebooks()
LESSONS, APPENDIX = SOURCES[:-1], SOURCES[-1]
CELLS = (20, 50)
LINES = 12  # of a code cell; "about ten"
SENTENCE = 4  # words of two letters or more in one text of the code
SENTENCES = 0.12  # of the code's lines, at most
EXERCISE = re.compile(r"Exercise (\d\.\d)")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def prose(path: Path) -> str:
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def code(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def headings(path: Path) -> list[str]:
    return re.findall(r"^## (.+)$", prose(path), flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """How JupyterLab and nbconvert call a heading's place."""
    return heading.replace(" ", "-")


def section(path: Path, heading: str) -> str:
    return re.split(r"^## ", prose(path).split(f"## {heading}\n")[1], flags=re.MULTILINE)[0]


each = pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.mark.parametrize("path", sorted(source_folder().glob("*.ipynb")), ids=lambda p: p.stem)
def test_sources_have_no_outputs_and_typed_parameters(path: Path) -> None:
    assert read(path).metadata.kernelspec.name == "python3"
    assert [cell for cell in code(path) if cell.outputs or cell.execution_count] == []
    parameters = next(c for c in code(path) if "parameters" in c.metadata.get("tags", []))
    for line in parameters.source.splitlines():
        assert re.fullmatch(r"\w+: (str|int|float|bool) = [^=#]+  # [^=]+", line), line


@each
def test_cells_are_few_and_short_and_define_nothing(path: Path) -> None:
    least, most = CELLS
    assert least <= len(read(path).cells) <= most
    sources = [cell.source for cell in code(path)]
    assert [s for s in sources if re.search(r"^\s*(async |)(def|class) ", s, re.MULTILINE)] == []
    working = [source for source in sources if not re.match(r"(import|from) ", source)]
    assert len(working) >= len(sources) - 1  # one cell imports
    assert [source for source in working if len(source.splitlines()) > LINES] == []


def sentence_lines(source: str) -> int:
    """Lines of code that a text of `SENTENCE` words or more stands on, f-strings and all.

    Blank lines do not count as lines of code, comments do. A label of three words is no sentence;
    a text over several lines is as many as it takes.
    """
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        texts = [part.value for part in parts if isinstance(part, ast.Constant)]
        text = " ".join(text for text in texts if isinstance(text, str))
        if len(re.findall(r"[^\W\d_]{2,}", text)) >= SENTENCE:
            lines |= {*range(node.lineno, node.end_lineno + 1)}
    return len(lines)


def share_of_sentences(cells: list[Any]) -> float:
    written = sum(sentence_lines(cell.source) for cell in cells)
    return written / sum(len([*filter(str.strip, c.source.splitlines())]) for c in cells)


def test_few_lines_of_code_write_sentences() -> None:
    """Of all code lines, and of those that a reader sees without unfolding, in each notebook."""
    assert (
        sentence_lines('a = "one two three"\nb = (\n    f"one two {a} three"\n    " four"\n)') == 2
    )
    assert share_of_sentences([cell for path in SOURCES for cell in code(path)]) <= SENTENCES
    for path in SOURCES:
        seen = [c for c in code(path) if not c.metadata.get("jupyter", {}).get("source_hidden")]
        assert share_of_sentences(seen) <= SENTENCES, path.stem


@each
def test_it_is_said_what_one_needs_and_which_picture_stands_for_the_notebook(path: Path) -> None:
    needs, minutes = needs_and_minutes(read(path))
    assert len(needs.split()) > 8
    assert 10 < minutes < 60
    [cover] = [cell for cell in code(path) if COVER in cell.metadata.get("tags", [])]
    assert cover.metadata["alt"]


@each_lesson
def test_readers_predict_before_an_answer_is_revealed(path: Path) -> None:
    """A cell whose output is folded answers a question that stands in the text before it."""
    cells = read(path).cells
    for number, cell in enumerate(cells):
        folded = cell.metadata.get("jupyter", {})
        if folded.get("outputs_hidden") and not folded.get("source_hidden"):
            before = [c.source for c in cells[:number] if c.cell_type == "markdown"][-1]
            assert "?" in before or "pencil" in before, cell.source


@each_lesson
def test_exercises_have_a_difficulty_and_a_hint(path: Path) -> None:
    asked = re.findall(r"^- \*\*Exercise .+$", section(path, "Exercises"), flags=re.MULTILINE)
    assert len(asked) == 3
    for exercise in asked:
        assert re.match(r"- \*\*Exercise \d\.\d\*\* \(★{1,3}\) ", exercise), exercise
        assert "*Hint:*" in exercise


@each
def test_a_question_stands_on_top_then_contents_that_lead_to_every_section(path: Path) -> None:
    title, question, *_ = prose(path).split("\n\n")
    assert title.startswith("# ")
    assert question.endswith("?")
    listed = next(block for block in prose(path).split("\n\n") if block.startswith("**Contents:**"))
    assert re.findall(r"\[(.+?)\]\(#(.+?)\)", listed) == [(h, anchor(h)) for h in headings(path)]


@each_lesson
def test_a_lesson_ends_with_findings_exercises_and_references(path: Path) -> None:
    assert headings(path)[-3:] == ["What was found", "Exercises", "References"]
    cells = [cell.source for cell in read(path).cells]
    found = next(n for n, source in enumerate(cells) if "## What was found" in source)
    assert any("record(" in source for source in cells[found:])


@each_lesson
def test_references_name_authors_year_title_and_a_place_to_find_them(path: Path) -> None:
    listed = re.findall(r"^- (.+)$", section(path, "References"), flags=re.MULTILINE)
    assert len(listed) >= 3
    for reference in listed:
        assert re.match(r"[A-Z]\. .+ \((19|20)\d\d\), \*[^*]+\*, ", reference), reference
        assert re.search(r" <https://[^\s<>]+>$", reference), reference


@each
def test_links_lead_to_notebooks_and_sections_that_are_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose(path))
    assert links
    for target, place in links:
        if re.match(r"https?://", target):
            continue
        other = path.with_name(target) if target else path
        assert other in SOURCES, target
        if place:
            assert place in [anchor(heading) for heading in headings(other)]


def test_notebooks_are_linked_forwards_and_backwards() -> None:
    for earlier, later in zip(SOURCES, SOURCES[1:], strict=False):
        title = prose(later).splitlines()[0].removeprefix("# ")
        assert f"Next: [{title}]({later.name})" in prose(earlier)
        title = prose(earlier).splitlines()[0].removeprefix("# ")
        assert f"Previous: [{title}]({earlier.name})" in prose(later)


def test_every_exercise_has_a_solution_that_asserts_and_no_other_has() -> None:
    asked = [n for path in LESSONS for n in EXERCISE.findall(section(path, "Exercises"))]
    assert len(asked) == len(set(asked))
    solved = EXERCISE.findall("\n".join(headings(APPENDIX)))
    assert solved == asked
    assert all(f"**Exercise {n}**" in section(LESSONS[int(n[0]) - 1], "Exercises") for n in asked)
    by_number = {n: c.source for c in code(APPENDIX) for n in asked if f'append("{n}")' in c.source}
    assert list(by_number) == asked
    assert [n for n, source in by_number.items() if "assert " not in source] == []
    assert all(f"[the appendix]({APPENDIX.name})" in section(p, "Exercises") for p in LESSONS)


@each
def test_pictures_are_described_in_words(path: Path) -> None:
    for cell in code(path):
        draws = re.search(r"plt\.show\(\)|plots\.\w+\([^)]*plt\.subplots", cell.source)
        if draws:
            assert len(cell.metadata.get("alt", "").split()) >= 5, cell.source


@each
def test_equations_can_be_set(path: Path) -> None:
    """All of them: none is left as LaTeX on the pages, which load no script."""
    from movierec.reports.pages import html

    shown = re.sub(r"(?s)<(code|pre)\b.*?</\1>", "", html(prose(path), ()))
    assert "<math" in shown or "$" not in prose(path)
    assert "$" not in shown


def test_spelling(tmp_path: Path) -> None:
    texts = {path.name: prose(path) for path in sorted(source_folder().glob("*.ipynb"))}
    documents = [
        *PROJECT.glob("*.md"),
        *PROJECT.glob("docs/**/*.md"),
        *PROJECT.glob("benchmarks/*.md"),
    ]
    assert PROJECT / "README.md" in documents
    texts |= {
        str(path.relative_to(PROJECT)).replace("/", "-"): path.read_text("utf-8")
        for path in documents
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, "utf-8")
    (tmp_path / "control.txt").write_text("It is definately so.")
    command = [sys.executable, "-m", "codespell_lib", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert [line for line in found.stdout.splitlines() if "control.txt" not in line] == []
    assert "definately ==> definitely" in found.stdout  # the checker does check
