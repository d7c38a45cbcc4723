"""A folder or a zip of data files, seen alike: nothing is ever unpacked to disk."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from movierec.errors import InputError, one_line
from movierec.files import recovered
from movierec.trust import check_within

# Text packs to a fifth of its length or so. What claims far more is no data set but a trap for the
# memory; a small archive may claim what any machine has.
UNPACKED = 100  # times the length of the archive
UNPACKED_ALWAYS = 2**24  # bytes


@dataclass(frozen=True)
class Source:
    """The files of one data set by base name, from a folder or a zip."""

    label: str
    names: frozenset[str]
    read: Callable[[str], bytes]

    def where(self, name: str) -> str:
        return f"{self.label}/{name}"


@contextmanager
def opened(path: Path, name: str) -> Iterator[Source]:
    """The files of a folder or zip; a zip that turns out to be damaged is told as such."""
    if not recovered(path).is_dir() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path} does not exist; expected a folder or zip of the files of {name}")
    if path.is_dir():
        yield _folder_source(path)
        return
    with _zip_faults(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield _zip_source(archive, path)


def one_file(path: Path) -> Source:
    """A file by itself."""
    return Source(str(path.parent), frozenset([path.name]), lambda name: _content(path))


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise InputError(f"cannot read {file}: expected a file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error


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
        if path.suffix.lower() in (".csv", ".dat", ".data", ".txt"):
            raise InputError(
                f"{path} is one file; expected the folder that holds it and the other tables, or "
                "their zip"
            ) from error
        raise InputError(
            f"{path} is not a readable zip ({one_line(error, 200)}); expected the archive "
            "as GroupLens publishes it. Delete it and download it again, or give an unpacked folder"
        ) from error


# the files of each form by role; the CSV sets have no table of users
FORMS: Mapping[str, Mapping[str, str]] = {
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


def _folder_source(path: Path) -> Source:
    def holds_a_form(folder: Path) -> bool:
        return any((folder / files["ratings"]).exists() for files in FORMS.values())

    if not holds_a_form(path):  # an archive unpacked into a folder of the same name
        folders = [f for f in sorted(path.iterdir()) if f.is_dir() and not f.name.startswith(".")]
        inner = [f for f in folders if holds_a_form(f)]  # a hidden one is of an unfinished writing
        outer, path = path, inner[0] if len(inner) == 1 else path
        check_within(path, outer, "expected the folder itself")

    def read(name: str) -> bytes:
        file = path / name
        check_within(file, path, "expected the file itself. Copy it there, if you trust it")
        return _content(file)

    return Source(str(path), frozenset(f.name for f in path.iterdir() if f.is_file()), read)


def _zip_source(archive: zipfile.ZipFile, path: Path) -> Source:
    members: dict[str, str] = {}
    for member in archive.namelist():
        parts = re.split(r"[/\\]", member)
        if ".." in parts or member.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", member):
            raise InputError(
                f"{path} holds the entry {member!r}, which lies outside its folder; it is not to "
                "be trusted. Get the original from GroupLens"
            )
        if parts[-1] and parts[-1] not in members:
            members[parts[-1]] = member
    most = max(UNPACKED_ALWAYS, UNPACKED * path.stat().st_size)

    def read(name: str) -> bytes:
        with _zip_faults(path):
            told = archive.getinfo(members[name])
            if (claimed := told.file_size) > most:
                raise InputError(
                    f"{path} holds {name} of {claimed:,} bytes unpacked; expected {most:,} at most "
                    "from one of its length. Get the original from GroupLens, or give a folder"
                )
            if told.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile(f"{name} is packed so that it might be of any length")
            with archive.open(told) as file:
                return file.read(claimed + 1)  # no more than was claimed, or it is damaged

    return Source(str(path), frozenset(members), read)


def form_of(source: Source) -> str:
    """The form whose files are there, all of them."""
    form = next((f for f, files in FORMS.items() if files["ratings"] in source.names), None)
    if form is None:
        found = ", ".join(sorted(source.names)[:8]) or "no file"
        raise InputError(
            f"{source.label} has no ratings (found: {found}); expected ratings.dat (ML-1M form), "
            "u.data (ML-100K form) or ratings.csv (CSV form)"
        )
    files = FORMS[form].values()
    for file in files:
        if file not in source.names:
            raise InputError(f"{source.where(file)} is missing; expected {', '.join(files)}")
    return form
