"""The errors that people meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal


def printable(text: str) -> str:
    """A text without characters that a terminal would obey in place of showing them."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def one_line(text: object, length: int = 500) -> str:
    """A text of somebody else as a message holds it: one printable line, cut to a length."""
    shown = printable(str(text)[: length + 1]).replace("\n", "\\n")
    return shown if len(shown) <= length else f"{shown[: length - 3]}..."


class InputError(ValueError):
    """Bad input: the message says what was received, what was expected and how to mend it.

    The command line prints the message without a traceback and ends with exit status 2.
    """


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Around code, or on a function, that imports packages which an extra of movierec installs.

    Args:
        extra: its name, such as "network".
        what: what needs it, such as "recipe fast".

    Raises:
        InputError: one of them is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "movierec").split(".")[0]
        if package == "movierec":
            raise  # a mistake of our own
        raise InputError(
            f"{what} needs {package}, which is not installed; pip install 'movierec[{extra}]'"
        ) from error


class DivergedError(InputError):
    """A training whose loss grew out of hand: its learning rate is too high."""


class WorkerLostError(RuntimeError):
    """One of several workers that train together ended or cannot be reached."""


class ProviderError(RuntimeError):
    """A provider of posters gave no answer that can be used.

    Attributes:
        kind: "refused": it does not accept the key, and will not later; "silent": it may answer
            later; "bad": it said something that is no answer, and would say it again.
    """

    def __init__(self, message: str, kind: Literal["refused", "silent", "bad"]) -> None:
        self.kind = kind
        super().__init__(message)


class NotebookError(RuntimeError):
    """A notebook, such as `03_training`, stopped with an exception: its name and its message.

    The cell is the number that its `In [n]` shows; None if the kernel died.
    """

    def __init__(
        self, notebook: str, cell: int | None, ename: str, evalue: str, page: Path
    ) -> None:
        self.notebook, self.cell, self.ename, self.evalue = notebook, cell, ename, evalue
        where = "" if cell is None else f" in cell {cell}"
        super().__init__(f"{notebook} stopped{where}: {ename}: {evalue}; open {page} to see where")
