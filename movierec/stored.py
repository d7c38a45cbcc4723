"""Large files of which only what is asked for is read, and none of it before it is checked.

A file has a checksum for each piece of it, so that what is damaged is told whenever it is used,
and what is not used costs nothing: of a person's vector among 200,000, a piece is read and not the
file. The files may be anybody's: sizes are those that the file has, whatever it claims.
"""

from __future__ import annotations

import hashlib
import io
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from movierec.errors import InputError

PIECE = 2**22  # bytes: some milliseconds of reading
_TYPES = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "FIU" for size in (1, 2, 4, 8)}


def checksums(content: bytes) -> str:
    """SHA-256 of each piece of a file, joined by blanks: of a short file just its SHA-256."""
    whole, starts = memoryview(content), range(0, max(len(content), 1), PIECE)
    return " ".join(hashlib.sha256(whole[a : a + PIECE]).hexdigest() for a in starts)


class Checked(io.RawIOBase):
    """A file as it was written: no byte of it is given before its piece is checked.

    Args:
        path: the file.
        sums: its `checksums`.
        fault: makes the error of a sentence that goes on from the file's name.

    Raises:
        OSError: it cannot be read.
        InputError: it is longer or shorter than was written; from all methods: a damaged piece.
    """

    def __init__(self, path: Path, sums: str, fault: Callable[[str], InputError]) -> None:
        super().__init__()
        self.path, self.fault = path, fault
        self.damage: InputError | None = None  # what was found
        self._sums, self._sound = sums.split(" "), set[int]()  # pieces that need no second look
        size = path.stat().st_size
        with path.open("rb") as file:  # an empty one cannot be mapped
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self.bytes = np.frombuffer(self._map, np.uint8)
        self._place = 0
        if len(self._sums) != -(-max(size, 1) // PIECE):
            raise fault("is not as it was written (its length differs)")
        if not size:
            self.check(0, 0)

    def check(self, start: int, stop: int) -> None:
        """Make sure that the bytes from start to stop are those that were written."""
        if isinstance(self._map, mmap.mmap) and self._map.size() < len(self.bytes):
            # what is gone may not be looked at: the process would be ended
            self.damage = self.fault("became shorter while it was read")
            raise self.damage
        for number in range(start // PIECE, max(-(-stop // PIECE), start // PIECE + 1)):
            if number not in self._sound:  # several threads may look at it at once
                piece = self.bytes[number * PIECE : (number + 1) * PIECE]
                if hashlib.sha256(piece.data).hexdigest() != self._sums[number]:
                    self.damage = self.fault("is not as it was written (its checksum differs)")
                    raise self.damage
                self._sound.add(number)

    def content(self) -> bytes:
        """The whole file."""
        self.check(0, len(self.bytes))
        return self.bytes.tobytes()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, as in all files."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self.bytes)}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the place on, as far as the file goes."""
        view = memoryview(buffer).cast("B")
        stop = min(self._place + len(view), len(self.bytes))
        if (count := max(stop - self._place, 0)) > 0:
            self.check(self._place, stop)
            view[:count] = self.bytes[self._place : stop].data
            self._place = stop
        return count


class Stored:
    """An array in a file, whose rows are read and checked when they are asked for.

    It is indexed by rows as an array is, and where a whole array is needed, it is one.

    Args:
        file: where it is.
        start: its first byte there.
        shape, dtype: as an array's.
    """

    def __init__(self, file: Checked, start: int, shape: tuple[int, ...], dtype: str) -> None:
        self._array: npt.NDArray[Any] = np.ndarray(shape, dtype, file.bytes, start)
        self._file, self._start = file, start
        self._sound: Callable[[npt.NDArray[Any]], None] = lambda _: None
        self._left = set(range(start // PIECE, -(-(start + self._array.nbytes) // PIECE)))
        self.shape, self.ndim = self._array.shape, self._array.ndim
        self.dtype, self.nbytes = self._array.dtype, self._array.nbytes

    def opened(self, sound: Callable[[npt.NDArray[Any]], None]) -> Any:
        """This, or the array itself if it is short; `sound` raises if numbers, (n,), are not."""
        self._sound = sound
        return np.asarray(self) if self.nbytes <= PIECE else self

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        if self._left:
            rows = key[0] if isinstance(key, tuple) else key
            whole = isinstance(rows, slice) and rows == slice(None)
            self._look(None if whole else np.arange(len(self))[rows])
        return self._array[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        self._look(None)
        return np.array(self._array, dtype, copy=copy)

    @property
    def T(self) -> npt.NDArray[Any]:  # noqa: N802, as NumPy's
        """The whole, transposed."""
        return np.asarray(self).T

    def _look(self, rows: npt.NDArray[np.intp] | None) -> None:
        """Check what has not been checked of some rows, or of all."""
        pieces = self._left
        if rows is not None and pieces:
            width = self.nbytes // max(len(self), 1)
            first, last = (
                np.unique((self._start + width * np.ravel(rows) + end) // PIECE)
                for end in (0, max(width - 1, 0))
            )
            longest = width // PIECE + 1  # pieces of a row beside the first
            reached = {int(a) + k for a in first for k in range(longest)} | set(last.tolist())
            pieces = pieces & reached
        for piece in sorted(pieces):
            self._file.check(piece * PIECE, (piece + 1) * PIECE)
            ends = piece * PIECE - self._start, (piece + 1) * PIECE - self._start
            size = self.dtype.itemsize
            self._sound(self._array.reshape(-1)[max(ends[0] // size, 0) : -(-ends[1] // size)])
            self._left = self._left - {piece}


def arrays(file: Checked) -> dict[str, Stored]:
    """The arrays of a safetensors file, by name.

    Raises:
        InputError: it is no such file, claims another size than it has, or holds a type that NumPy
            lacks.
    """
    start = 8 + int.from_bytes(file.bytes[:8].tobytes(), "little")
    file.check(0, min(start, len(file.bytes)))  # the header
    found = {}
    try:
        with safe_open(file.path, "numpy") as opened:  # which has no gaps, and just this length
            for name in opened.offset_keys():
                part = opened.get_slice(name)
                shape, dtype = tuple(part.get_shape()), _TYPES[part.get_dtype()]
                found[name] = Stored(file, start, shape, dtype)
                start += found[name].nbytes
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise file.fault(f"is no safetensors file ({error})") from error
    return found
