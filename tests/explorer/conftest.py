"""The service of a small run."""

from __future__ import annotations

import pytest

from movierec.explorer.service import Service, service_of
from movierec.runs import Run


@pytest.fixture(scope="session")
def service(small_best: Run) -> Service:
    return service_of(small_best.recommender)
