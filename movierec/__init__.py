"""movierec: a movie recommender to read, run and keep.

The names below are loaded when first used, so that `import movierec` stays light.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from movierec.data.datasets import load_dataset as load_dataset
    from movierec.data.tables import Tables as Tables
    from movierec.errors import InputError as InputError
    from movierec.evaluation.evaluate import evaluate as evaluate
    from movierec.recommend.recommender import Recommender as Recommender
    from movierec.runs import Run as Run
    from movierec.runs import load_run as load_run
    from movierec.training import train as train

# read by TensorFlow when it is first imported: quiets most of what it says of the machine
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

__version__ = "1.0.0"

# looked at here, as loading `logging` takes longer than all else in this file
if os.environ.get("MOVIEREC_LOG"):
    importlib.import_module("movierec.logs").show()

_HOMES = {
    "InputError": "errors",
    "Recommender": "recommend.recommender",
    "Run": "runs",
    "Tables": "data.tables",
    "evaluate": "evaluation.evaluate",
    "load_dataset": "data.datasets",
    "load_run": "runs",
    "train": "training",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'movierec' has no attribute {name!r}")
    return getattr(importlib.import_module(f"movierec.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
