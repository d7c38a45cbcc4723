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
    log = logging.getLogger("movierec.metadata")
    handlers = list(log.handlers)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr("sys.argv", given)
        patch.setenv("MOVIEREC_PROGRESS", "lines")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            try:
                main()
            except SystemExit as end:
                status = end.code
    log.handlers[:] = handlers  # of the command's
    return subprocess.CompletedProcess(given, status, printed.getvalue(), told.getvalue())
