"""Fetch, verify and read every MovieLens form, and a user's own tables in these forms.

Every form ends in the same three tables with the same schema, `Tables(users, movies, ratings)`:

| form | files | encoding | demographics |
| --- | --- | --- | --- |
| ML-1M | `users.dat`, `movies.dat`, `ratings.dat`, separator `::` | latin-1 | yes |
| ML-100K | `u.user`, `u.item`, `u.genre`, `u.occupation`, `u.data` | latin-1 | yes |
| CSV sets | `movies.csv`, `ratings.csv`, and `links.csv` if it is there | UTF-8 | no |

A data set is read from a folder or straight from its zip: nothing is ever unpacked to disk.
"""

from __future__ import annotations

import csv
import errno
import io
import lzma
import os
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from movierec.errors import InputError
from movierec.paths import DATA_VARIABLE, data_dir

AGE_BANDS = (1, 18, 25, 35, 45, 50, 56)  # first year of each band, as in ML-1M's users.dat
AGE_BAND_NAMES = ("under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56 or over")
OCCUPATIONS_1M = (
    "other or not specified",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)
GENRES_1M = (
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)

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
SILENCE = 30  # seconds that a server may keep silent, or be slow at the beginning
SLOWEST = 2**10  # bytes a second, on the average
NAMES = ("sample", *ARCHIVES)
FOLDS = ("u1", "u2", "u3", "u4", "u5")  # ML-100K's own splits, five disjoint fifths

RATING_RANGE = (0.5, 5.0)  # stars, over all forms
MAX_ID = 2**31 - 1
HEADER = 2**16  # bytes within which the first line of a CSV file must end
# Text packs to a fifth of its length or so. What claims far more is no data set but a trap for the
# memory; a small archive may claim what any machine has.
UNPACKED = 100  # times the length of the archive
UNPACKED_ALWAYS = 2**27  # bytes
YEAR = re.compile(r"\(([0-9]{4})\)\s*$")
CONTROL = r"[\x00-\x1f\x7f-\x9f]"  # characters that a terminal would obey in place of showing them


@dataclass(frozen=True)
class Tables:
    """Users, movies and ratings of one data set, all of one schema.

    Attributes:
        users: `user_id` (int64); where the data has demographics also `gender` ("F" or "M"),
            `age` (int64: years, or the first year of an ML-1M band), `occupation` (int64: a
            position in `occupations`), `zip` (str). One row a user, ascending `user_id`.
        movies: `movie_id` (int64), `title` (str, as in the file, with the year in brackets),
            `genres` (str, joined by "|"), `year` (Int64, missing where the title has none); where
            the data has links also `tmdb_id` and `imdb_id` (Int64, missing where there is none):
            the film's number there. One row a movie, ascending `movie_id`.
        ratings: `user_id`, `movie_id` (int64), `rating` (float32, stars), `timestamp` (int64, Unix
            seconds). One row a rating, in the order of the file. Never two of one user and movie.
        name: the data set's name.
        occupations: the occupations' names by code; empty without demographics.
    """

    users: pd.DataFrame
    movies: pd.DataFrame
    ratings: pd.DataFrame
    name: str = "custom"
    occupations: tuple[str, ...] = ()

    @property
    def has_demographics(self) -> bool:
        """Whether the users have gender, age and occupation."""
        return "gender" in self.users.columns


def load_dataset(name: str, path: str | os.PathLike[str] | None = None) -> Tables:
    """Read a data set into tables; find it, or download it, when no path is given.

    Without a path the data folder (`data_dir()`) is searched for a folder `NAME`, then for
    `NAME.zip`; failing both, the archive is downloaded there and its checksum verified. The
    simulated `sample` needs neither files nor network.

    Args:
        name: one of `NAMES`. With a path, the form is told by the files found there, and any
            other name is accepted as a label for a user's own data.
        path: a folder with the files (or with one folder that has them), or a zip.

    Returns:
        The validated tables.

    Raises:
        InputError: an unknown name, a missing or malformed file, a failed download.

    Example:
        >>> load_dataset("sample").ratings.columns.tolist()
        ['user_id', 'movie_id', 'rating', 'timestamp']
    """
    if path is not None:
        return _read(Path(path), name)
    if name == "sample":
        from movierec.simulate import simulate

        return simulate().tables
    if name not in ARCHIVES:
        raise InputError(
            f"unknown data set {name!r}; expected one of {', '.join(NAMES)}, or your own data "
            "with --from PATH (in Python: path=...)"
        )
    return _read(find_archive(name) or download(name), name)


def find_archive(name: str) -> Path | None:
    """The folder or zip of a data set in `data_dir()`, or None."""
    for candidate in (data_dir() / name, data_dir() / f"{name}.zip"):
        if candidate.exists():
            return candidate
    return None


def official_fold(
    tables: Tables, path: str | os.PathLike[str] | None, fold: str
) -> npt.NDArray[np.int64]:
    """The test rows of one of ML-100K's five official folds.

    Args:
        tables: ML-100K, from `load_dataset`.
        path: where they were read from, as in `load_dataset`.
        fold: one of `FOLDS`.

    Returns:
        int64 (n,) row numbers of `tables.ratings`, in the order of `FOLD.test`.

    Raises:
        InputError: an unknown fold, a data set that has none, or a fold with a rating that the
            tables do not have.

    Example:
        >>> tables = load_dataset("ml-100k")
        >>> train(tables, holdout=official_fold(tables, None, "u1"))
    """
    if fold not in FOLDS:
        raise InputError(f"unknown fold {fold!r}; expected one of {', '.join(FOLDS)}")
    place = Path(path) if path is not None else find_archive(tables.name)
    wanted = (
        f"only ML-100K has the official folds {FOLDS[0]} to {FOLDS[-1]}, one {fold}.test a fold"
    )
    if place is None:
        raise InputError(f"{tables.name} has no {fold}.test: {wanted}; choose another --holdout")

    with _opened(place, tables.name) as source:
        if f"{fold}.test" not in source.names:
            missing = source.where(f"{fold}.test")
            raise InputError(f"{missing} is missing: {wanted}; choose another --holdout")
        expected = "user id, movie id, rating, timestamp"
        test = _parse_ratings(source, f"{fold}.test", expected, "\t")
    known, asked = (
        pd.MultiIndex.from_frame(frame[["user_id", "movie_id"]]) for frame in (tables.ratings, test)
    )
    rows = known.get_indexer(asked)
    if (rows < 0).any():
        user_id, movie_id = asked[int(np.argmax(rows < 0))]
        raise InputError(
            f"{fold}.test of {place} has a rating of movie {movie_id} by user {user_id} that the "
            "ratings do not have; expected both from the same archive"
        )
    return rows.astype(np.int64)


def download(name: str) -> Path:
    """Download a MovieLens archive into `data_dir()` and verify its published checksum.

    The mirror setting is the environment variable `MOVIEREC_MIRROR`: an address that has
    `NAME.zip`. A broken transfer is tried again three times; a file of the wrong checksum is
    removed, never used.

    Returns:
        The zip's path.

    Raises:
        InputError: the download failed, with the local way and the mirror setting named.
    """
    import pooch
    import requests

    mirror = os.environ.get(MIRROR_VARIABLE) or GROUPLENS

    def receive(url: str, target: str, _: Any) -> None:
        """What pooch calls to download: unlike its own way, it ends with every server."""
        with open(target, "wb") as file:
            for chunk in _received(url, LARGEST, name):
                file.write(chunk)

    url = f"{mirror.rstrip('/')}/{name}.zip"
    folder = data_dir()
    try:
        md5 = ARCHIVES[name] or _published_md5(url)
        fetcher = pooch.create(
            path=folder,
            base_url="",
            registry={f"{name}.zip": f"md5:{md5}"},
            urls={f"{name}.zip": url},
            retry_if_failed=3,
        )
        return Path(fetcher.fetch(f"{name}.zip", downloader=receive))
    except (requests.RequestException, ValueError) as error:
        raise InputError(
            f"could not download {url}: {error}. If you have the data, give its folder or zip "
            f"with --from PATH; or set {MIRROR_VARIABLE} to a mirror that has {name}.zip"
        ) from error
    except OSError as error:
        raise _disk_error(error, folder) from error


def _published_md5(url: str) -> str:
    """The checksum from the `.md5` file beside an archive that changes in place."""
    # asked anew each time and not kept: a kept sum would refuse the next edition of the set
    text = b"".join(_received(f"{url}.md5", 2**16, same_host=True)).decode("utf-8", "replace")
    found = re.search(r"\b[0-9a-f]{32}\b", text)
    if not found:
        raise ValueError(f"{url}.md5 holds no MD5 sum")
    return found.group()


def _received(
    url: str, most: int, name: str | None = None, same_host: bool = False
) -> Iterator[bytes]:
    """What a server sends, as it comes.

    Args:
        url: its address.
        most: bytes that it may send.
        name: what is downloaded, for a progress bar; None shows none.
        same_host: whether a redirection to another host is refused. An archive may come from
            anywhere, since its checksum is known; a checksum may not.

    Raises:
        requests.RequestException: no answer, a refusal, or a cut.
        ValueError: too long, too slow, or another host.
    """
    import requests
    import urllib3
    from tqdm.auto import tqdm

    headers = {"Accept-Encoding": "identity"}  # an archive does not get smaller
    with requests.get(url, stream=True, timeout=SILENCE, headers=headers) as answer:
        answer.raise_for_status()
        if same_host and urlsplit(answer.url).netloc != urlsplit(url).netloc:
            raise ValueError(f"it is redirected to another host, {urlsplit(answer.url).netloc}")
        began, length = time.monotonic(), 0
        announced = int(answer.headers.get("Content-Length", 0)) or None
        with tqdm(total=announced, desc=name, unit="B", unit_scale=True, disable=not name) as bar:
            try:
                while chunk := answer.raw.read1(2**20):  # whatever has come; read() would wait
                    length += len(chunk)
                    seconds = time.monotonic() - began
                    if length > most:
                        raise ValueError(f"the server sends more than {most:,} bytes")
                    if seconds > SILENCE and length < SLOWEST * seconds:
                        raise ValueError(
                            f"the server sent only {length:,} bytes in {seconds:.0f} seconds"
                        )
                    bar.update(len(chunk))
                    yield chunk
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(f"the connection was cut: {error}") from error


def _disk_error(error: OSError, path: Path) -> InputError:
    if error.errno == errno.ENOSPC:
        return InputError(
            f"no space left on the disk of {path}; free some, or set {DATA_VARIABLE} to a folder "
            "on another disk"
        )
    return InputError(f"could not use {path}: {error.strerror or error}; check its permissions")


# --- a folder or a zip, seen alike -----------------------------------------------------------


@dataclass(frozen=True)
class _Source:
    """The files of one data set by base name, from a folder or a zip."""

    label: str
    names: frozenset[str]
    read: Callable[[str], bytes]

    def where(self, name: str) -> str:
        return f"{self.label}/{name}"


def _read(path: Path, name: str) -> Tables:
    """Read a folder or zip in whichever form its files have."""
    with _opened(path, name) as source:
        return _read_source(source, name)


def check_files(path: str | os.PathLike[str], name: str) -> str:
    """Whether a folder or zip has all files of a form; their contents are not looked at.

    Args:
        path: the folder or zip.
        name: the data set that it should be.

    Returns:
        The form: "ml-1m", "ml-100k" or "csv".

    Raises:
        InputError: a file is missing, or the zip is damaged.
    """
    with _opened(Path(path), name) as source:
        return _form(source)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[_Source]:
    """The files of a folder or zip; a zip that turns out to be damaged is told as such."""
    if not path.exists():
        raise InputError(
            f"{path} does not exist; expected a folder or zip with the files of {name}"
        )
    if path.is_dir():
        yield _folder_source(path)
        return
    with _zip_faults(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield _zip_source(archive, path)


@contextmanager
def _zip_faults(path: Path) -> Iterator[None]:
    """All that the standard library raises on a damaged zip, as one message."""
    try:
        yield
    except InputError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        RuntimeError,  # a password, or a method of packing that is not known here
        OSError,
        ValueError,  # a name that is no text, or a place in the file that cannot be
    ) as error:
        raise InputError(
            f"{path} is not a readable zip ({_shortened(str(error), 200)}); expected the archive "
            "as GroupLens publishes it. Delete it and download it again, or give an unpacked folder"
        ) from error


# the files of each form by role; the CSV sets have no table of users
_FORMS: Mapping[str, Mapping[str, str]] = {
    "ml-1m": {"users": "users.dat", "movies": "movies.dat", "ratings": "ratings.dat"},
    "ml-100k": {
        "users": "u.user",
        "movies": "u.item",
        "genres": "u.genre",
        "occupations": "u.occupation",
        "ratings": "u.data",
    },
    "csv": {"movies": "movies.csv", "ratings": "ratings.csv"},
}


def _folder_source(path: Path) -> _Source:
    def holds_a_form(folder: Path) -> bool:
        return any((folder / files["ratings"]).exists() for files in _FORMS.values())

    if not holds_a_form(path):  # an archive unpacked into a folder of the same name
        folders = [f for f in sorted(path.iterdir()) if f.is_dir() and not f.name.startswith(".")]
        inner = [f for f in folders if holds_a_form(f)]  # a hidden one is of an unfinished writing
        path = inner[0] if len(inner) == 1 else path

    def read(name: str) -> bytes:
        file = path / name
        if not file.resolve().is_relative_to(path.resolve()):
            raise InputError(
                f"{file} is a link to {file.resolve()}, outside its folder; expected the file "
                "itself, since a folder from elsewhere may point at anything. Copy it there"
            )
        try:
            return file.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror or error}") from error

    return _Source(str(path), frozenset(f.name for f in path.iterdir() if f.is_file()), read)


def _zip_source(archive: zipfile.ZipFile, path: Path) -> _Source:
    members: dict[str, str] = {}
    for member in archive.namelist():
        parts = re.split(r"[/\\]", member)
        if ".." in parts or member.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", member):
            raise InputError(
                f"{path} holds the entry {member!r}, which lies outside its folder; such an "
                "archive is not to be trusted. Get the original from GroupLens"
            )
        if parts[-1] and parts[-1] not in members:
            members[parts[-1]] = member
    most = max(UNPACKED_ALWAYS, UNPACKED * path.stat().st_size)

    def read(name: str) -> bytes:
        with _zip_faults(path):
            if (claimed := archive.getinfo(members[name]).file_size) > most:
                raise InputError(
                    f"{path} holds {name} of {claimed:,} bytes unpacked; expected {most:,} at most "
                    "from an archive of its length. Get the original from GroupLens, or give an "
                    "unpacked folder"
                )
            return archive.read(members[name])  # reads no more than was claimed

    return _Source(str(path), frozenset(members), read)


def _form(source: _Source) -> str:
    """The form whose files are there, all of them."""
    form = next((f for f, files in _FORMS.items() if files["ratings"] in source.names), None)
    if form is None:
        found = ", ".join(sorted(source.names)[:8]) or "no file"
        raise InputError(
            f"{source.label} has no ratings (found: {found}); expected ratings.dat (ML-1M form), "
            "u.data (ML-100K form) or ratings.csv (CSV form)"
        )
    files = _FORMS[form].values()
    for file in files:
        if file not in source.names:
            raise InputError(f"{source.where(file)} is missing; expected {', '.join(files)}")
    return form


def _read_source(source: _Source, name: str) -> Tables:
    form = _form(source)
    files = _FORMS[form]
    tables = {"ml-1m": _read_1m, "ml-100k": _read_100k, "csv": _read_csv}[form](source, name)
    try:
        return validate_tables(tables)
    except _RowError as error:
        file = files.get(error.table, files["ratings"])  # a CSV set's users come from its ratings
        row = error.row + (2 if form == "csv" else 1)  # a header comes first in a CSV file
        number, line = _nth_record(source, file, row)
        _complain(source, file, number, line, error.expected)


# --- the three forms -------------------------------------------------------------------------


def _read_1m(source: _Source, name: str) -> Tables:
    users = _parse_lines(
        source,
        "users.dat",
        "UserID::Gender::Age::Occupation::Zip-code",
        re.compile(r"([0-9]{1,10})::([FM])::([0-9]{1,3})::([0-9]{1,2})::(.*)"),
        {"user_id": int, "gender": str, "age": int, "occupation": int, "zip": str},
    )
    movies = _parse_lines(
        source,
        "movies.dat",
        "MovieID::Title (Year)::Genre|Genre",
        re.compile(r"([0-9]{1,10})::(.+)::(.*)"),  # greedy: a title may itself hold "::"
        {"movie_id": int, "title": str, "genres": str},
    )
    ratings = _parse_ratings(source, "ratings.dat", "UserID::MovieID::Rating::Timestamp", "::")
    return Tables(users, movies, ratings, name, OCCUPATIONS_1M)


def _read_100k(source: _Source, name: str) -> Tables:
    occupations = tuple(_lines(source, "u.occupation"))
    genres = _parse_lines(
        source,
        "u.genre",
        "name|number",
        re.compile(r"(.+)\|([0-9]{1,3})"),
        {"name": str, "code": int},
    )["name"].tolist()
    users = _parse_lines(
        source,
        "u.user",
        "user id|age|gender|occupation|zip code",
        re.compile(r"([0-9]{1,10})\|([0-9]{1,3})\|([FM])\|([^|]+)\|(.*)"),
        {"user_id": int, "age": int, "gender": str, "occupation": str, "zip": str},
    )
    codes = {occupation: code for code, occupation in enumerate(occupations)}
    unknown = ~users["occupation"].isin(codes).to_numpy()
    if unknown.any():
        number, line = _nth_record(source, "u.user", int(np.argmax(unknown)) + 1)
        _complain(source, "u.user", number, line, f"one of the {len(codes)} of u.occupation")
    users["occupation"] = users["occupation"].map(codes).astype("int64")
    flags = r"\|".join("[01]" for _ in genres)
    movies = _parse_lines(
        source,
        "u.item",
        f"movie id|title|release date|video release date|IMDb URL|{len(genres)} genre flags",
        re.compile(rf"([0-9]{{1,10}})\|([^|]*)\|[^|]*\|[^|]*\|[^|]*\|({flags})"),
        {"movie_id": int, "title": str, "genres": str},
    )
    movies["genres"] = [
        "|".join(genre for genre, flag in zip(genres, row.split("|"), strict=True) if flag == "1")
        for row in movies["genres"]
    ]
    ratings = _parse_ratings(source, "u.data", "user id, movie id, rating, timestamp", "\t")
    columns = ["user_id", "gender", "age", "occupation", "zip"]
    return Tables(users[columns], movies, ratings, name, occupations)


def _read_csv(source: _Source, name: str) -> Tables:
    text = {"movieId": pa.int64(), "title": pa.string(), "genres": pa.string()}
    movies = _csv_columns(source, "movies.csv", text)
    numbers = {
        "userId": pa.int64(),
        "movieId": pa.int64(),
        "rating": pa.float32(),
        "timestamp": pa.int64(),
    }
    ratings = _csv_columns(source, "ratings.csv", numbers)
    ratings.columns = pd.Index(["user_id", "movie_id", "rating", "timestamp"])
    movies.columns = pd.Index(["movie_id", "title", "genres"])
    users = pd.DataFrame({"user_id": np.unique(ratings["user_id"])})
    if "links.csv" in source.names:
        movies = movies.join(_links(source), on="movie_id")
    return Tables(users, movies, ratings, name)


def _links(source: _Source) -> pd.DataFrame:
    """The films' numbers elsewhere, by movie id; a film may lack either."""
    types = {"movieId": pa.int64(), "imdbId": pa.string(), "tmdbId": pa.string()}
    links = _csv_columns(source, "links.csv", types)
    digits = [links[name].str.fullmatch("[0-9]{0,9}") for name in ("imdbId", "tmdbId")]
    for wrong, expected in (
        (~(digits[0] & digits[1]), "numbers of up to nine digits, or none, as imdbId and tmdbId"),
        (links["movieId"].duplicated(), "one line a film"),
    ):
        if wrong.any():
            number, line = _nth_record(source, "links.csv", int(np.argmax(wrong)) + 2)
            _complain(source, "links.csv", number, line, expected)
    numbers = links[["tmdbId", "imdbId"]].replace("", None).apply(pd.to_numeric).astype("Int64")
    return numbers.set_axis(["tmdb_id", "imdb_id"], axis=1).set_index(links["movieId"])


# --- reading with file, line and offending text in every complaint -----------------------------


def _content(source: _Source, name: str) -> bytes:
    """A file's bytes without a byte-order mark of UTF-8, not blank."""
    raw = source.read(name).removeprefix(b"\xef\xbb\xbf")
    if not raw or raw.isspace():  # stops at the first character that is none; strip() would copy
        raise InputError(f"{source.where(name)} is empty; expected at least one line")
    return raw


def _text(source: _Source, name: str) -> str:
    """A file's text: latin-1 as GroupLens writes it, UTF-8 where it has a valid accent in it."""
    raw = _content(source, name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if re.search(_NO_TEXT, text):
        for number, line in enumerate(_split(text), start=1):
            if re.search(_NO_TEXT, line):
                _complain(source, name, number, line, "text in latin-1 or UTF-8 (bad encoding)")
    return text


_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # CONTROL but tabs and line ends


def _split(text: str) -> list[str]:
    r"""Lines that end as the C reader lets them end: by \n, \r\n, or \r alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _lines(source: _Source, name: str) -> list[str]:
    return [line for line in _split(_text(source, name)) if line.strip()]


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _complain(source: _Source, name: str, number: int, line: str, expected: str) -> NoReturn:
    shown = _shortened(line, 80)
    raise InputError(f"{source.where(name)}, line {number}: got {shown!r}; expected {expected}")


def _nth_record(source: _Source, name: str, row: int) -> tuple[int, str]:
    """The number and text of the line with the row-th record, blank lines not counted."""
    for number, cells in (
        _csv_records(source, name) if name.endswith(".csv") else _plain_lines(source, name)
    ):
        row -= bool("".join(cells).strip())
        if row == 0:
            return number, ",".join(cells)
    raise AssertionError(f"{name} has fewer rows than were read from it")


def _plain_lines(source: _Source, name: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_split(_text(source, name)), start=1):
        yield number, [line]


def _csv_records(source: _Source, name: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the number of the line they end on: a quoted cell may hold a line's end."""
    text = _content(source, name).decode("utf-8", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        line = (_split(text) + [""])[reader.line_num - 1]
        _complain(source, name, reader.line_num, line, f"a CSV record ({error})")


def _parse_lines(
    source: _Source,
    name: str,
    expected: str,
    pattern: re.Pattern[str],
    columns: Mapping[str, type],
) -> pd.DataFrame:
    """A small table, one line a row, each line checked against a pattern."""
    rows: list[tuple[str, ...]] = []
    for number, line in enumerate(_split(_text(source, name)), start=1):
        if not line.strip():
            continue
        match = pattern.fullmatch(line)
        if not match:
            _complain(source, name, number, line, expected)
        rows.append(match.groups())
    if not rows:  # but white space that is no line's end, such as a form feed
        _complain(source, name, 1, "", expected)
    values = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            column: np.array(cells, dtype=np.int64) if kind is int else pd.Series(cells, dtype=str)
            for (column, kind), cells in zip(columns.items(), values, strict=True)
        }
    )


_RATING_COLUMNS = ("user_id", "movie_id", "rating", "timestamp")
_RATING_TYPES = (pa.int64(), pa.int64(), pa.float32(), pa.int64())


def _parse_ratings(source: _Source, name: str, expected: str, separator: str) -> pd.DataFrame:
    """The large table. A C reader takes one separator byte, so `::` becomes a tab first."""
    plain = _content(source, name)
    tabbed = plain if separator == "\t" else plain.replace(separator.encode(), b"\t")
    try:
        if separator != "\t" and b"\t" in plain:
            raise pa.ArrowInvalid(f"a tab where {separator} was expected")
        table = pa.csv.read_csv(
            pa.BufferReader(tabbed),
            pa.csv.ReadOptions(column_names=_RATING_COLUMNS),
            pa.csv.ParseOptions(delimiter="\t", quote_char=False),
            _convert_options(dict(zip(_RATING_COLUMNS, _RATING_TYPES, strict=True))),
        )
    except pa.ArrowInvalid as error:
        lines = enumerate(_split(plain.decode("latin-1")), start=1)
        rows = ((number, line.split(separator)) for number, line in lines)
        _find_bad_row(source, name, rows, separator, expected, _RATING_TYPES, str(error))
    return table.to_pandas()


def _csv_columns(source: _Source, name: str, types: Mapping[str, pa.DataType]) -> pd.DataFrame:
    """The named columns of a CSV file with a header, in UTF-8."""
    raw = _content(source, name)
    expected = f"a CSV file in UTF-8 with the columns {', '.join(types)}"
    first = _split(raw[:HEADER].lstrip(b"\r\n").decode("utf-8", "replace"))[0]
    try:
        header = next(csv.reader([first]), [])
    except csv.Error as error:
        _complain(source, name, 1, first, f"{expected} ({error})")
    if doubled := [column for column in types if header.count(column) > 1]:
        _complain(source, name, 1, first, f"{expected}: {', '.join(doubled)} stands there twice")
    if missing := [column for column in types if column not in header]:
        _complain(source, name, 1, first, f"{expected}: {', '.join(missing)} missing")
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(raw),
            # where a cell may hold a line's end, rows are not told apart by line ends alone
            parse_options=pa.csv.ParseOptions(newlines_in_values=b'"' in raw),
            convert_options=_convert_options(types),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        records = _csv_records(source, name)
        next(number for number, cells in records if any(cells))  # the header
        order = [types.get(column, pa.string()) for column in header]
        _find_bad_row(source, name, records, ",", expected, order, str(error))
    if not table.num_rows:
        raise InputError(f"{source.where(name)} has a header alone; expected at least one row")
    return table.to_pandas()


def _convert_options(types: Mapping[str, pa.DataType]) -> pa.csv.ConvertOptions:
    return pa.csv.ConvertOptions(
        column_types=dict(types), include_columns=list(types), null_values=[]
    )


def _find_bad_row(
    source: _Source,
    name: str,
    rows: Iterable[tuple[int, Sequence[str]]],
    separator: str,
    expected: str,
    types: Sequence[pa.DataType],
    reason: str,
) -> NoReturn:
    """Name the line that the fast reader could not take."""
    for number, cells in rows:
        if not any(cells):
            continue
        if len(cells) != len(types) or not all(map(_fits, cells, types)):
            line = separator.join(cells)
            _complain(source, name, number, line, f"{expected} ({len(types)} fields)")
    raise InputError(f"{source.where(name)} could not be read ({reason}); expected {expected}")


def _fits(cell: str, kind: pa.DataType) -> bool:
    if pa.types.is_string(kind):
        return "\ufffd" not in cell
    number = r"-?\d{1,18}" if pa.types.is_integer(kind) else r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
    return re.fullmatch(rf"\s*{number}\s*", cell, re.ASCII) is not None


# --- the schema --------------------------------------------------------------------------------


class _RowError(InputError):
    """A row that breaks the schema; the reader adds the file and the line."""

    def __init__(self, table: str, row: int, got: str, expected: str) -> None:
        super().__init__(f"{table}, row {row + 1}: {got}; expected {expected}")
        self.table, self.row, self.expected = table, row, expected


def validate_tables(tables: Tables) -> Tables:
    """Check tables against the one schema of all data sets.

    Args:
        tables: users, movies and ratings; `year` is added to the movies where it is absent.

    Returns:
        The tables, with users and movies in ascending id order.

    Raises:
        InputError: a column is missing or of the wrong type, a value is out of range, an id is
            doubled, a rating names an unknown user or movie, or rates a movie twice.
    """
    users, movies, ratings = tables.users, tables.movies, tables.ratings
    if "title" in movies.columns and "year" not in movies.columns:
        year = movies["title"].astype(str).str.extract(YEAR, expand=False)
        movies = movies.assign(year=pd.to_numeric(year).astype("Int64"))
    # ratings first: the users of a CSV set come from them, and a bad id is to be named there
    for table, frame in (("ratings", ratings), ("movies", movies), ("users", users)):
        _check(table, frame, len(tables.occupations))
    for column, known in (("user_id", users["user_id"]), ("movie_id", movies["movie_id"])):
        stray = ~np.isin(ratings[column].to_numpy(), known.to_numpy())
        if stray.any():
            row, kind = int(np.argmax(stray)), column.removesuffix("_id")
            got = f"{column} {ratings[column].iloc[row]}"
            expected = f"a {kind} of the {kind}s table ({got} is unknown; {stray.sum()} such rows)"
            raise _RowError("ratings", row, got, expected)
    doubled = ratings.duplicated(["user_id", "movie_id"]).to_numpy()
    if doubled.any():
        row = int(np.argmax(doubled))
        user_id, movie_id = ratings[["user_id", "movie_id"]].iloc[row]
        got = f"a second rating of movie {movie_id} by user {user_id}"
        expected = f"one rating a user and movie (this is {got}; {doubled.sum()} such rows)"
        raise _RowError("ratings", row, got, expected)
    return Tables(
        users.sort_values("user_id", ignore_index=True),
        movies.sort_values("movie_id", ignore_index=True),
        ratings,
        tables.name,
        tables.occupations,
    )


def _check(table: str, frame: pd.DataFrame, occupations: int) -> None:
    """Check one table by its pandera schema, and say the first fault in one sentence."""
    import pandera.errors
    from pandera.pandas import Check, Column, DataFrameSchema  # imported late: a quarter second

    def identifier(unique: bool = False) -> Column:
        rule = Check.in_range(0, MAX_ID, error=f"a whole number from 0 to {MAX_ID}")
        return Column("int64", rule, unique=unique, report_duplicates="exclude_first")

    elsewhere = Column("Int64", Check.in_range(0, MAX_ID), nullable=True, required=False)
    worded = Check(lambda texts: texts.str.strip().ne(""), error="a title")
    plain = Check(
        lambda texts: ~texts.str.contains(CONTROL), error="text without control characters"
    )
    lowest, highest = RATING_RANGE
    schemas = {
        "users": {"user_id": identifier(unique=True)},
        "demographics": {
            "gender": Column("str", Check.isin(["F", "M"], error="F or M")),
            "age": Column("int64", Check.in_range(0, 130, error="years from 0 to 130")),
            "occupation": Column(
                "int64", Check.isin(range(occupations), error=f"a code below {occupations}")
            ),
            "zip": Column("str", plain),
        },
        "movies": {
            "movie_id": identifier(unique=True),
            "title": Column("str", [worded, plain]),
            "genres": Column("str", plain),
            "year": Column("Int64", nullable=True),
            "tmdb_id": elsewhere,
            "imdb_id": elsewhere,
        },
        "ratings": {
            "user_id": identifier(),
            "movie_id": identifier(),
            "rating": Column(
                "float32",
                [
                    Check.in_range(lowest, highest, error=f"{lowest:g} to {highest:g} stars"),
                    Check(lambda stars: stars * 2 % 1 == 0, error="whole or half stars"),
                ],
            ),
            "timestamp": Column("int64", Check.ge(0, error="Unix seconds, 0 or more")),
        },
    }
    columns = schemas[table]
    if table == "users" and "gender" in frame.columns:
        columns |= schemas["demographics"]
    if not len(frame):
        raise InputError(f"{table}: no rows; expected at least one")
    try:
        # numbered anew: a label that stands twice in the index would name no row
        DataFrameSchema(columns).validate(frame.reset_index(drop=True))
    except pandera.errors.SchemaError as error:
        cases, column = error.failure_cases, error.schema.name
        by_row = isinstance(cases, pd.DataFrame) and cases["index"].notna().all()
        if not by_row:  # not a row's fault: a column is missing or of the wrong type
            names = ", ".join(columns)
            raise InputError(f"{table}: {error}; expected the columns {names}") from error
        row, value = int(cases["index"].iloc[0]), cases["failure_case"].tolist()[0]
        rules = [check.error for check in columns[column].checks]
        rule = getattr(error.check, "error", None) or next(iter(rules), "a text")
        if error.check == "field_uniqueness":
            rule = "an id that stands in one row only"
        raise _RowError(table, row, f"{column} {value!r}", f"{column}: {rule}") from error
