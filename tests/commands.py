"""Commands of movierec, called in the process of the tests."""

from __future__ import annotations

import contextlib
import io
import logging
import subprocess
from pathlib import Path

import pytest

from movierec.cli.main import main


def movierec(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """What a command prints and how it ends, as if it were a process in a folder.

    A warning or an exception that `main` lets through is raised here.
    """
    printed, told, status = io.StringIO(), io.StringIO(), 0
    given = ["movierec", *map(str, arguments)]
    log = logging.getLogger("movierec")
    handlers, level = list(log.handlers), log.level
    log.handlers[:] = [handler for handler in handlers if type(handler) is logging.NullHandler]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr("sys.argv", given)
        patch.setenv("MOVIEREC_PROGRESS", "lines")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            try:
                main()
            except SystemExit as end:
                status = end.code
    log.handlers[:] = handlers  # a process of its own would begin with none, and leave none
    log.setLevel(level)
    return subprocess.CompletedProcess(given, status, printed.getvalue(), told.getvalue())
