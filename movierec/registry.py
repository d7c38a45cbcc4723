"""What the rooms in front of the core offer it, found by the entry points of installed packages.

The core names none of these rooms, and each can be taken away. Another package offers a recipe or a
data set of its own in the same way, with a line in its `pyproject.toml`:

| group | an entry |
| --- | --- |
| `movierec.recipes` | a `models.recipe.Recipe` |
| `movierec.datasets` | a function without arguments that gives `data.tables.Tables` |
| `movierec.baselines` | by name, functions that `evaluation.evaluate.measure` fits beside a run |
| `movierec.archives` | a function of a data set's name that gives the path of its folder or zip |
| `movierec.spreads` | a function of `workers` and `scheduler` around work with a `spread.Spread` |
| `movierec.pictures` | a function of a training's history that gives a PNG file's bytes, or None |
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


@cache
def _entries(kind: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"movierec.{kind}")}


def offered(kind: str) -> tuple[str, ...]:
    """The names offered in a group, such as `recipes`, in the order of the alphabet."""
    return tuple(sorted(_entries(kind)))


def offer(kind: str, name: str) -> Any:
    """What is offered under one of these names; its module is loaded now."""
    return _entries(kind)[name].load()
