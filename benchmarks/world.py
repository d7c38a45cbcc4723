"""Simulated ratings in the form of MovieLens-32M: `python -m benchmarks.world MILLIONS FOLDER`.

At 32 million they are of 200,000 users and 87,000 films; smaller worlds have as many fewer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from movierec.sample.simulate import simulate

USERS, FILMS, LARGEST = 200_000, 87_000, 32  # millions


def main(millions: int, folder: Path) -> None:
    """Simulate, and write `ratings.csv` and `movies.csv`."""
    share = millions / LARGEST
    tables = simulate(int(USERS * share), int(FILMS * share), millions * 1_000_000).tables
    names = {"user_id": "userId", "movie_id": "movieId"}
    folder.mkdir(parents=True, exist_ok=True)
    films = tables.movies[["movie_id", "title", "genres"]]
    films.rename(columns=names).to_csv(folder / "movies.csv", index=False)
    unfinished = folder / "ratings.csv.new"  # an interrupted one must not be taken for whole
    tables.ratings.rename(columns=names).to_csv(unfinished, index=False)
    unfinished.rename(folder / "ratings.csv")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
