"""MovieLens' archives: downloaded, their published checksums verified, and ML-100K's own folds.

`data.datasets` finds `download` by the entry points of `movierec.archives`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.datasets import find_archive
from movierec.data.readers import read_rows
from movierec.data.sources import opened
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.files import alone, replacing
from movierec.paths import DATA_VARIABLE, data_dir
from movierec.progress import counted, say

FOLDS = ("u1", "u2", "u3", "u4", "u5")  # ML-100K's own splits, five disjoint fifths
MIRROR_VARIABLE = "MOVIEREC_MIRROR"
GROUPLENS = "https://files.grouplens.org/datasets/movielens"
# MD5 sums as GroupLens publishes them; "" where the set changes in place and its .md5 file is asked
ARCHIVES = {
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-latest-small": "",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
LARGEST = 2**31  # bytes of an archive; the largest has a quarter of a gigabyte
TRIES = 4
PAUSE = 1.0  # seconds before the second try, twice that before the third, and so on
SILENCE = 30  # seconds that a server may keep silent, or be slow at the beginning
SLOWEST = 2**10  # bytes a second, on the average


def download(name: str) -> Path:
    """Download a MovieLens archive into `data_dir()`, verify its published checksum, give its path.

    `$MOVIEREC_MIRROR` may name another address that has `NAME.zip`. A broken transfer is tried
    again three times; a file of the wrong checksum is removed, never used. Who is killed leaves no
    `NAME.zip`, and what was received goes with the next download.

    Raises:
        InputError: the download failed, or another process is downloading the same.
    """
    import requests
    import tenacity

    url = f"{(os.environ.get(MIRROR_VARIABLE) or GROUPLENS).rstrip('/')}/{name}.zip"
    archive = data_dir() / f"{name}.zip"
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(requests.RequestException),
        stop=tenacity.stop_after_attempt(TRIES),
        wait=tenacity.wait_exponential(multiplier=PAUSE),
        reraise=True,
    )
    try:
        with alone(archive), replacing(archive) as new:
            say(f"downloading {url}")
            again(_receive, url, new, name)
        return archive
    except InputError:
        raise
    except (requests.RequestException, ValueError) as error:
        raise InputError(
            f"could not download {url}: {error}. If you have the data, give its folder or zip "
            f"with --from PATH; or set {MIRROR_VARIABLE} to a mirror that has {name}.zip"
        ) from error
    except OSError as error:
        raise InputError(
            f"could not use {archive.parent}: {error.strerror or error}; look to its permissions "
            f"and its disk, or set {DATA_VARIABLE} to another folder"
        ) from error


def _receive(url: str, new: Path, name: str) -> None:
    """Write an archive to a file, and see that it has its published checksum."""
    expected = ARCHIVES[name] or _published_md5(url)
    checksum = hashlib.md5(usedforsecurity=False)
    with new.open("wb") as file, counted(name, in_bytes=True) as show:
        for chunk, total in _received(url, LARGEST):
            file.write(chunk)
            checksum.update(chunk)
            show(file.tell(), total)
    if checksum.hexdigest() != expected:
        raise ValueError(f"its MD5 sum is {checksum.hexdigest()}, where {expected} was expected")


def _published_md5(url: str) -> str:
    """The checksum from the `.md5` file beside an archive that changes in place: never kept."""
    text = b"".join(chunk for chunk, _ in _received(f"{url}.md5", 2**16, same_host=True))
    if not (found := re.search(rb"\b[0-9a-f]{32}\b", text)):
        raise ValueError(f"{url}.md5 holds no MD5 sum")
    return found.group().decode()


def _received(url: str, most: int, same_host: bool = False) -> Iterator[tuple[bytes, int | None]]:
    """What a server sends, `most` bytes as it comes, and how many bytes it has announced.

    An archive may come from anywhere, since its checksum is known; a checksum from `same_host`.

    Raises:
        requests.RequestException: no answer, a refusal, or a cut.
        ValueError: too long, too slow, or another host.
    """
    import requests
    import urllib3

    headers = {"Accept-Encoding": "identity"}  # an archive does not get smaller
    with requests.get(url, stream=True, timeout=SILENCE, headers=headers) as answer:
        answer.raise_for_status()
        if same_host and urlsplit(answer.url).netloc != urlsplit(url).netloc:
            raise ValueError(f"it is redirected to another host, {urlsplit(answer.url).netloc}")
        began, length = time.monotonic(), 0
        announced = int(answer.headers.get("Content-Length", 0)) or None
        try:
            while chunk := answer.raw.read1(2**20):  # whatever has come; read() would wait
                length += len(chunk)
                seconds = time.monotonic() - began
                if length > most:
                    raise ValueError(f"the server sends more than {most:,} bytes")
                if seconds > SILENCE and length < SLOWEST * seconds:
                    sent = f"{length:,} bytes in {seconds:.0f} seconds"
                    raise ValueError(f"the server sent only {sent}")
                yield chunk, announced
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(f"the connection was cut: {error}") from error


def official_fold(
    tables: Tables, path: str | os.PathLike[str] | None, fold: str
) -> npt.NDArray[np.int64]:
    """The test rows of one of ML-100K's five official `FOLDS`.

    Args:
        tables, path: ML-100K from `load_dataset`, and where it read them.

    Returns:
        int64 (n,) row numbers of `tables.ratings`, in the order of `FOLD.test`.

    Raises:
        InputError: there is no such fold, or it has a rating that the tables do not have.
    """
    place = Path(path) if path is not None else find_archive(tables.name)
    file = f"{fold}.test"
    wanted = f"only ML-100K has the official folds {FOLDS[0]} to {FOLDS[-1]}, one {file} a fold"
    wanted += "; choose another --holdout"
    if place is None:
        raise InputError(f"{tables.name} has no {file}: {wanted}")
    with opened(place, tables.name) as source:
        if file not in source.names:
            raise InputError(f"{source.where(file)} is missing: {wanted}")
        test = read_rows(source, file, "\t")
    known, asked = (
        pd.MultiIndex.from_frame(frame[["user_id", "movie_id"]]) for frame in (tables.ratings, test)
    )
    rows = known.get_indexer(asked)
    if (rows < 0).any():
        user_id, movie_id = asked[int(np.argmax(rows < 0))]
        raise InputError(
            f"{file} of {place} has a rating of movie {movie_id} by user {user_id} that the "
            "ratings do not have; expected both from the same archive"
        )
    return rows.astype(np.int64)
