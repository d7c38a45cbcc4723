"""A server that speaks as a provider, and who asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from asking import MOVIES
from film_server import FilmServer, tmdb_film

from movierec.posters.metadata import Metadata


@pytest.fixture
def server() -> Iterator[FilmServer]:
    running = FilmServer()
    running.films = [
        tmdb_film(603, "The Matrix", 1999, chinese="黑客帝国"),
        tmdb_film(949, "Heat", 1995, chinese="盗火线"),
    ]
    yield running
    running.close()


@pytest.fixture
def open_metadata(tmp_path: Path) -> Iterator[Callable[..., Metadata]]:
    """What makes metadata that share one cache, and closes them."""
    opened = []

    def make(provider: Any, movies: pd.DataFrame = MOVIES) -> Metadata:
        opened.append(Metadata(provider, movies, tmp_path / "cache"))
        return opened[-1]

    yield make
    for made in opened:
        made.close()
