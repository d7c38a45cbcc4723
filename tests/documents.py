"""README and the guide: their pages, and the examples on them."""

from __future__ import annotations

import re
from pathlib import Path

from worlds import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)


def examples(page: Path, language: str) -> list[str]:
    """The fenced examples of a page in a language, in their order."""
    return [text for found, text in FENCED.findall(page.read_text("utf-8")) if found == language]


def commands(page: Path) -> list[str]:
    """All lines of a page that a shell would run: of `sh` examples, and of indented ones."""
    plain = FENCED.sub("", page.read_text("utf-8"))
    lines = "".join([*examples(page, "sh"), *INDENTED.findall(plain)]).splitlines()
    stripped = (line.strip().removeprefix(".venv/bin/") for line in lines)
    return [line for line in stripped if re.match(r"(movierec|make|python -m) ", line)]
