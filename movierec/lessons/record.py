"""Figures of a notebook, handed to whoever runs it: a batch collects them."""

from __future__ import annotations

import json
from typing import Any

METRICS_MIME = "application/vnd.movierec+json"


def record(**values: Any) -> None:
    """Hand figures of a notebook to the batch, which collects them in `metrics.json`.

    Args:
        values: numbers, texts, or lists and dicts of them; NumPy numbers are welcome.

    Raises:
        TypeError: a value has no JSON form.
        ValueError: a number is NaN or infinite.

    Example:
        >>> record(rmse=0.894, rows=100_020)  # doctest: +SKIP
    """
    from IPython.display import display

    plain = json.loads(json.dumps(values, allow_nan=False, default=lambda value: value.tolist()))
    display({METRICS_MIME: plain, "text/plain": f"Recorded: {', '.join(plain)}"}, raw=True)
