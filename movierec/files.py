"""What is written: whole or not at all, and by one process at a time.

`write_whole` is for a file that is there in one piece; `replacing` for a folder, or for a file that
comes bit by bit; `alone` keeps others off meanwhile; `is_earlier` tells what may be replaced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from movierec.errors import InputError


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that at every moment the old one or the new one is there, whole.

    It is written under another name, forced to the disk, and put in place in one step. A text is
    written in UTF-8.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # of a killed process; or a link that somebody has laid there
        with new.open("xb") as sink:
            sink.write(content.encode() if isinstance(content, str) else content)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(new, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # the name that was asked for
        with suppress(OSError):  # the first fault is the one to tell
            new.unlink(missing_ok=True)  # half a file would only fill the disk
        raise
    if os.name == "posix":  # the new name is on the disk only when its folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process write to a folder within the block.

    The lock is a file beside the folder, `.NAME.lock`, which ends with the process that holds it,
    however that ends. The folder need not exist.

    Raises:
        InputError: another process holds it, or there is no writing beside the folder.
    """
    from filelock import FileLock, Timeout  # here: a twentieth of a second

    path = path.absolute()
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"another process is writing to {path}; wait until it has ended, or name another folder"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} could not be written: {error.strerror or error}; check that its folder is one "
            "and may be written, or name another"
        ) from error
    try:
        yield
    finally:
        if os.name == "posix":  # elsewhere a file that is held cannot be removed
            Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: who waits looks again
        lock.release()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place for a new folder, or a new file, that stands at `path` when the block ends well.

    If it does not, or the process is killed, what was there stays; who is killed between the two
    moves of the end leaves both, and the new one counts: see `recovered`. Others are kept off by
    `alone`.

    Raises:
        OSError: it cannot be written.
    """
    path = recovered(Path(os.path.realpath(path)), held=True)  # a link leads to the new one
    workplace = _workplace(path)
    if workplace.is_symlink():
        workplace.unlink()  # that somebody has laid there
    elif workplace.exists():
        shutil.rmtree(workplace)  # left by a process that was killed
    new, old = workplace / "new", workplace / "old"
    workplace.mkdir(parents=True)
    try:
        yield new
        if path.is_dir():  # a file is replaced in one step
            path.replace(old)
        try:
            new.replace(path)
        except BaseException:  # an interruption too: the earlier one must not go with `old`
            if old.exists():
                old.replace(path)
            raise
    finally:
        shutil.rmtree(workplace)


def recovered(path: Path, held: bool = False) -> Path:
    """A path as it is to be read or replaced.

    What a process that was killed at the end of `replacing` had still to do is done: the new folder
    was complete before the earlier one moved.

    Args:
        path: a folder, or none.
        held: whether the caller holds `alone(path)`.

    Raises:
        InputError: another process is replacing it.
    """
    workplace = _workplace(path)
    if not path.exists() and (workplace / "old").exists():
        with nullcontext() if held else alone(path):
            if not path.exists():
                (workplace / "new").replace(path)
    return path


def _workplace(path: Path) -> Path:
    path = Path(os.path.realpath(path))
    return path.with_name(f".{path.name}.writing")


def is_earlier(path: Path, mark: str | None, kind: str, mend: str = "name a new folder") -> bool:
    """Whether a folder holds an earlier work that may be replaced or gone on with.

    Args:
        path: the folder; where nothing is, or an empty one, the answer is False.
        mark: the file that such a work always has; None if none may be there.
        kind, mend: what it is, to go on from "is not", and what else to do.

    Raises:
        InputError: something else stands there.
    """
    half = f".{mark}.new"  # of a killed process
    if not path.exists() or (path.is_dir() and all(p.name == half for p in path.iterdir())):
        return False
    if mark is None or not (path / mark).is_file():  # a pipe would be waited for
        raise InputError(f"{path} exists and is not {kind}; {mend}")
    return True
