"""Where data and reports are, wherever the process was started."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "MOVIEREC_DATA"
REPORTS_VARIABLE = "MOVIEREC_REPORTS"


def home() -> Path:
    """The checkout around the current folder, or the current folder where there is none.

    JupyterLab starts a kernel in the notebook's folder, papermill in the caller's: both find the
    same `data` and `reports`.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


def data_dir() -> Path:
    """The folder of downloaded data: `$MOVIEREC_DATA`, else `data` at home."""
    return Path(os.environ.get(DATA_VARIABLE) or home() / "data")


def reports_dir() -> Path:
    """The folder of runs and reports: `$MOVIEREC_REPORTS`, else `reports` at home."""
    return Path(os.environ.get(REPORTS_VARIABLE) or home() / "reports")
