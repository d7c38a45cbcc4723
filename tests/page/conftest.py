"""One server for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.serving import Served, served
from movierec.runs import Run

pytest.importorskip("uvicorn", reason="the page needs the extra `page`")


@pytest.fixture(scope="session")
def site(small_best: Run) -> Iterator[Served]:
    with served(small_best.path, "--workers", "2") as site:
        yield site
