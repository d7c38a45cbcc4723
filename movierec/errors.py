"""The errors that people meet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


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


class StoppedError(RuntimeError):
    """Work that came to no good end though nothing was wrong with what was asked: exit status 1."""


class WorkerLostError(StoppedError):
    """One of several workers that train together ended or cannot be reached."""
