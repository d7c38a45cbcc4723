"""Tables as a page shows them: places from 1, words on the left, numbers on the right."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from pandas.io.formats.style import Styler

LEFT = {"text-align": "left"}


def as_text(said: str) -> str:
    """What the data says, such as a title, for Markdown or HTML: no tag, mark, link, equation."""
    marks = r"[&<>\\`*_\[\]$~|@]|:(?=//)|(?<=[wW]{3})\."
    return re.sub(marks, lambda mark: f"&#{ord(mark[0])};", " ".join(said.split()))


def styled(frame: pd.DataFrame, formats: Any = None, **given: Any) -> Styler:
    """A table in which all that the data says is text; arguments as of `Styler.format`."""
    table = frame.style.format(formats, escape="html", **given)
    return table.format_index(escape="html").format_index(escape="html", axis=1)


def listed(frame: pd.DataFrame, digits: int = 2, ranked: bool = True) -> Styler:
    """A table for reading.

    Args:
        frame: any; what is missing is shown as nothing.
        digits: decimals of numbers that are not all whole; those of ids and years have no commas.
        ranked: whether the rows are places in a list, which are counted from 1.
    """
    if ranked:
        frame = frame.set_axis(range(1, len(frame) + 1), axis=0)
    words: list[Hashable] = [name for name in frame if not is_numeric_dtype(frame[name])]
    formats = {name: _form(frame[name], digits) for name in frame if name not in words}
    table = styled(frame, formats, na_rep="")
    table.set_properties(subset=pd.IndexSlice[:, words], **LEFT)
    heads = {name: [{"selector": "th", "props": [*LEFT.items()]}] for name in words}
    return table.set_table_styles(heads, overwrite=False)


def facts(values: Mapping[str, object], digits: int = 3) -> Styler:
    """Some numbers with their names, one a row; texts stand as they are."""
    told = {
        name: f"{value:,.{digits}f}"
        if isinstance(value, float | np.floating)
        else f"{value:,}"
        if isinstance(value, int | np.integer)
        else str(value)
        for name, value in values.items()
    }
    table = styled(pd.Series(told, name="").to_frame())
    return table.hide(axis="columns").set_properties(**{"text-align": "right"})


def _form(column: pd.Series, digits: int) -> str:
    if (column.dropna() % 1 == 0).all():
        return "{:.0f}" if str(column.name).endswith(("_id", "year")) else "{:,.0f}"
    return f"{{:.{digits}f}}"
