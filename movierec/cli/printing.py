"""What commands print: facts, tables, and texts that no terminal obeys."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from movierec.errors import printable

if TYPE_CHECKING:
    import pandas as pd


def tell(message: str) -> None:
    """Say something beside the results."""
    print(printable(f"movierec: {message}"), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))


def print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Print facts, one a line; of a list or a dict, one a line each."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        lines = value if isinstance(value, list) else [value]
        if isinstance(value, dict):
            lines = [f"{key} {_shown(entry)}" for key, entry in value.items()]
        heading = name.replace("_", " ")
        for line in lines or [None]:
            print(f"{heading:<16} {_shown(line)}")
            heading = ""


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if type(value) is int else "none" if value is None else _cell(value)


@contextmanager
def interruptible(then: str = "the same command goes on with what is missing") -> Iterator[None]:
    """Around what goes on for long: an interrupt is told, with what to do then."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nmovierec: stopped; {then}", file=sys.stderr)
        sys.exit(130)


def print_films(films: pd.DataFrame, heading: str, as_json: bool) -> None:
    """Print a list of films as a table."""
    if as_json:
        print(films.to_json(orient="records", indent=2))
        return
    if not len(films):
        print(f"{heading}: no film meets the conditions; loosen one of them")
        return
    if "why" in films:  # which needs the room
        films = films.drop(columns=["genres", "score", "std"])
    year = films["year"].astype("string").fillna("")
    told = all(f"({y})" in title for y, title in zip(year, films["title"], strict=True))
    print_table(films.drop(columns="year") if told else films.assign(year=year), heading)


def print_table(frame: pd.DataFrame, heading: str, narrow: bool = False) -> None:
    """Print a table, with lines between its columns unless it has to be narrow."""
    import pandas as pd
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    style: Any = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0)} if narrow else {}
    table = Table(title=escape(printable(heading)), title_justify="left", **style)
    for column in frame.columns:
        table.add_column(column, justify="left" if frame[column].dtype == "str" else "right")
    for row in frame.itertuples(index=False):
        table.add_row(*("" if pd.isna(cell) else escape(_cell(cell)) for cell in row))
    # a pipe has no width; a terminal keeps its own
    Console(width=None if sys.stdout.isatty() or not narrow else 120).print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.4f}"
    return printable(str(value))
