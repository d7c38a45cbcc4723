"""README and the guide do what they say: examples run, commands are known, links lead somewhere."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from documents import FENCED, PAGES, commands, examples
from worlds import PROJECT

from benchmarks.__main__ import cli as benchmarks
from movierec import registry
from movierec.cli.main import cli as movierec
from movierec.models.best import BestRecipe
from movierec.sample.simulate import simulate

README, EXTENDING = PROJECT / "README.md", PROJECT / "docs" / "extending.md"
LINKED = [*PAGES, PROJECT / "CONTRIBUTING.md", *(PROJECT / "benchmarks").glob("*.md")]
SMALL = BestRecipe("best", factors=4, passes=3, members=2)
ELSEWHERE = PROJECT / "docs" / "serving.md"  # for a Python without movierec: tests/serving
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def test_readme_is_read_to_the_end():
    assert len(README.read_text("utf-8").splitlines()) <= 220


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page != ELSEWHERE and examples(page, "python")],
    ids=lambda page: page.name,
)
def test_python_runs(page, tmp_path, monkeypatch):
    """All of a page, one example after the other, in an empty folder and on a tiny world."""
    tables = simulate(n_users=60, n_movies=40, n_ratings=1_500, seed=3).tables
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOVIEREC_PROGRESS", "off")
    found = registry._entries
    small = {"sample": lambda: tables, "best": SMALL}

    def entries(kind: str) -> dict[str, object]:
        offers = {
            name: SimpleNamespace(load=lambda what=what: what) for name, what in small.items()
        }
        return {name: offers.get(name, entry) for name, entry in found(kind).items()}

    monkeypatch.setattr(registry, "_entries", entries)
    mine = tables.movies.head(3)[["title"]].assign(stars=[5, 4, 1])
    mine.to_csv("ratings.csv", index=False)
    Path("scores.csv").write_text("user;film;score\n" + "".join(club(";", 2)), "utf-8")
    names: dict[str, object] = {"__name__": "example"}
    monkeypatch.setitem(sys.modules, "example", SimpleNamespace(**names))  # dataclasses look there
    for text in examples(page, "python"):
        exec(compile(text, page.name, "exec"), names)  # noqa: S102


def club(between: str, scale: int) -> list[str]:
    """Lines of who, film and stars: 12 people, each of whom rates 8 of 10 films."""
    pairs = ((who, film) for who in range(12) for film in range(10) if (who + film) % 5)
    return [
        between.join((f"P{who}", f"Film {film}", f"{scale * (1 + (who * film) % 5)}")) + "\n"
        for who, film in pairs
    ]


@pytest.fixture
def parsed(monkeypatch, drawn_run):
    """Calls of commands that were understood; what they do is left out."""
    calls: list[click.Context] = []
    importlib.import_module("movierec.cli.training")  # first imported now, it would keep the lambda
    monkeypatch.setattr("movierec.cli.options.open_run", lambda path: drawn_run)
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: calls.append(context))
    return calls


def understand(line: str) -> None:
    """Parse a command as its program would.

    Raises:
        click.UsageError: it would refuse it.
        AssertionError: the Makefile has no such target.
    """
    program, *words = shlex.split(line, comments=True)
    if program == "make":
        target = words[0]
        assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE)
    elif program == "python":
        if words[:2] == ["-m", "benchmarks"]:
            benchmarks.main(words[2:], "benchmarks", standalone_mode=False)
    else:
        movierec.main(words, "movierec", standalone_mode=False)


@by_name
def test_commands_are_known_with_all_their_options(page, parsed):
    for line in commands(page):
        if page != EXTENDING or "means" not in line:  # which its own test offers and runs
            understand(line)


def test_a_command_that_is_not_there_would_be_noticed(parsed):
    for line in ("movierec tarin", "movierec train --recip best", "python -m benchmarks speed"):
        with pytest.raises(click.UsageError):
            understand(line)
    assert len(commands(README)) > 10
    understand("movierec recommend similar 1 -k 3")
    assert parsed[-1].params["k"] == 3


def test_a_recipe_and_a_data_set_of_ones_own(tmp_path):
    """The guide's package, installed, through the command line."""
    code, _ = examples(EXTENDING, "python")
    (project,) = (tomllib.loads(text) for text in examples(EXTENDING, "toml"))
    tmp_path.joinpath("filmclub.py").write_text(code, "utf-8")
    there = tmp_path / "filmclub-1.dist-info"
    there.mkdir()
    there.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: filmclub\nVersion: 1\n")
    lines = [
        "\n".join([f"[{group}]", *(f"{name} = {what}" for name, what in entries.items())])
        for group, entries in project["project"]["entry-points"].items()
    ]
    there.joinpath("entry_points.txt").write_text("\n".join(lines))
    tmp_path.joinpath("data").mkdir()
    tmp_path.joinpath("data", "evenings.csv").write_text("who,film,stars\n" + "".join(club(",", 1)))
    (train,) = (line for line in commands(EXTENDING) if "means" in line)
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(train), "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{PROJECT}", "MOVIEREC_PROGRESS": "off"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "evenings-means" / "run.json").is_file()


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"https?:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_of_the_guide_is_linked_from_readme():
    linked = set(re.findall(r"\]\(docs/(\w+\.md)", README.read_text("utf-8")))
    assert linked == {page.name for page in PAGES} - {"README.md"}


def test_extras_of_readme_are_those_of_the_package():
    told = set(re.findall(r"movierec\[(\w+)\]", README.read_text("utf-8")))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert told == set(project["optional-dependencies"]) - {"lab", "gpu"}


def test_reference_opens_from_the_disk(tmp_path):
    """Of one room; all of them take a minute."""
    done = subprocess.run(
        [sys.executable, PROJECT / "docs" / "api.py", tmp_path, "recommend"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pages = list(tmp_path.rglob("*.html"))
    assert {"movierec.html", "recommender.html"} <= {page.name for page in pages}
    for page in pages:
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"([^\"]+)", page.read_text())
        assert not [address for address in loaded if "//" in address and address[:5] != "data:"], (
            page
        )
    assert "least misery" in (tmp_path / "search.js").read_text("utf-8")
