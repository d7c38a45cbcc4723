"""What the library says of its work: by the standard library's logging, and nothing until asked.

A program that uses movierec decides with `logging` itself, as for any other library: all loggers
are below `movierec`. Where no program does (a command, a notebook, papermill's kernels, the page),
`$MOVIEREC_LOG` names the least level that goes to the standard error. What each level is for stands
in docs/operations.md.
"""

from __future__ import annotations

import logging
import os

from movierec.errors import printable

LOG_VARIABLE = "MOVIEREC_LOG"
LEVELS = ("debug", "info", "warning", "error")

_package = logging.getLogger("movierec")
_package.addHandler(logging.NullHandler())  # without any handler, Python would write warnings


def logger(name: str) -> logging.Logger:
    """A module's logger, by its `__name__`: silent until somebody asks for what it says."""
    return logging.getLogger(name)


def show(level: str = "warning") -> None:
    """Write log lines to the standard error from now on; a second call changes only the level.

    Args:
        level: one of `LEVELS`, which holds unless `$MOVIEREC_LOG` names another. Of a value that
            is none, a line tells; it stops no work.
    """
    asked = os.environ.get(LOG_VARIABLE, "").strip()
    known = asked.lower() in LEVELS
    _package.setLevel((asked if known else level).upper())
    if not any(isinstance(handler, _Shown) for handler in _package.handlers):
        _package.addHandler(_Shown())
    if asked and not known:
        expected = f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}"
        _package.warning("%s is %r; expected %s. Taken as %s", LOG_VARIABLE, asked, expected, level)


class _Shown(logging.StreamHandler):
    """What `show` adds; there is never a second one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        """A line without the characters that a terminal would obey in place of showing them."""
        return printable(super().format(record))
