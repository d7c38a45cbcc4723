"""What a stranger's files may do: nothing outside their folder, nothing that is not checked.

A run, a report or a data set may come from anybody. Of their JSON only what a pydantic model allows
is used; a Parquet file fills no more memory than its length lets expect; a link in a folder leads
to nothing outside of it. Texts for a terminal are in `errors`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from io import RawIOBase
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Annotated, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from movierec.errors import InputError, one_line

LARGEST_JSON = 2**26  # bytes; the vocabularies of 100,000 films take two million
_ROWS_PER_BYTE, _ROWS_ALWAYS = 8, 100_000  # a rating takes several bytes
_TEXT_PER_BYTE, _TEXT_ALWAYS = 100, 2**24
_NUMBER, _TEXT = "u?int[0-9]+|halffloat|float|double", "(large_)?string"
_PLAIN = re.compile(f"{_NUMBER}|{_TEXT}|dictionary<values=({_NUMBER}|{_TEXT}), indices=.*>")
_PACKED = {"SNAPPY", "UNCOMPRESSED"}  # others can make gigabytes of a few bytes


class Form(BaseModel):
    """What a JSON object must hold, each of its type; names that are not listed are left alone."""

    model_config = ConfigDict(strict=True, frozen=True)


Some = TypeVar("Some", bound=BaseModel)


def _shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected a text that can be printed")
    return text


Shown = Annotated[str, AfterValidator(_shown)]  # a text that a terminal shows, and never obeys


def read_json(source: Path | bytes, form: type[Some]) -> Some:
    """JSON that may be anybody's, a file or what it holds, if it has the form that it should have.

    Raises:
        InputError: it cannot be read or looks otherwise; the message is one line for another to
            go on from: "config.seed: Field required".
    """
    try:
        if isinstance(source, Path):
            if not source.is_file():  # a pipe would be waited for
                raise InputError("it is missing, or no file")
            if (size := os.stat(source).st_size) > LARGEST_JSON:
                raise InputError(f"it has {size:,} bytes, where {LARGEST_JSON:,} are the most")
            source = source.read_bytes()
        return form.model_validate_json(source)
    except ValidationError as error:
        raise InputError(fault_of(error)) from error
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}") from error


def fault_of(error: ValidationError) -> str:
    """The first thing that is wrong with a stranger's JSON, in one line: where it is, and what."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return one_line(f"{place}: {first['msg']}" if place else first["msg"], 200)


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path below a folder that may be anybody's is a link to something outside of it."""
    # not Path.resolve, which ends at links that lead round in a circle
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def check_within(path: Path, folder: Path, mend: str) -> None:
    """Refuse a path below a folder that may be anybody's if it leads out of it.

    Raises:
        InputError: it is a link to something outside; `mend` says what to do about it.
    """
    if leads_out(path, folder):
        raise InputError(f"{path} is a link that leads out of {folder}; {mend}")


def read_parquet(
    source: mmap | RawIOBase,
    columns: Sequence[str],
    coded: Sequence[str] = (),
    only: tuple[str, int] | None = None,
) -> pd.DataFrame:
    """Some columns of a Parquet file that may be anybody's.

    A few bytes of such a file can stand for any number of equal rows, or of equal long texts; what
    memory is used for is bounded by the length of the file.

    Args:
        source: the file.
        columns: those wanted; of them come those that it has.
        coded: of these, texts that come as categories.
        only: a column and the number that the rows have there that are wanted; of others little is
            read in a file that is in order of it.

    Raises:
        InputError: it is none, holds other than plain columns, or claims more than it can hold.
    """
    try:
        source.seek(0, os.SEEK_END)
        size, file = source.tell(), pq.ParquetFile(source)
        schema = file.schema_arrow
        if len(set(schema.names)) != len(schema.names):
            raise ValueError("two columns have one name")
        kinds = {name: schema.field(name).type for name in columns if name in schema.names}
        if only and not pa.types.is_integer(kinds.get(only[0], pa.null())):
            raise ValueError(f"{only[0]} is no column of whole numbers")
        for name, kind in kinds.items():
            if not _PLAIN.fullmatch(str(kind)):
                raise ValueError(f"{name} is a {kind}")
        texts = [name for name, kind in kinds.items() if not pa.types.is_primitive(kind)]
        _check_metadata(file.metadata, size)
        if (rows := _rows_claimed(file.metadata)) > _ROWS_PER_BYTE * size + _ROWS_ALWAYS:
            raise ValueError(f"{size:,} bytes claim to be {rows:,} rows")
        wanted = [(only[0], "=", only[1])] if only else None
        table = pq.read_table(source, columns=list(kinds), read_dictionary=texts, filters=wanted)
        table.validate(full=True)  # texts may be no UTF-8, and rows lead to none of them
        for name in texts:
            place, column = table.column_names.index(name), table.column(name)
            lengths = (pc.binary_length(c.dictionary).take(c.indices) for c in column.chunks)
            length = sum(pc.sum(each).as_py() or 0 for each in lengths)
            if length > _TEXT_PER_BYTE * size + _TEXT_ALWAYS:
                raise ValueError(f"{size:,} bytes claim to be {length:,} letters of {name}")
            if name not in coded:
                table = table.set_column(place, name, column.cast(pa.string()))
        return table.to_pandas(ignore_metadata=True)
    except InputError:  # of the file, whose pieces are checked when they are read
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"it cannot be read ({one_line(error)})") from error


def _check_metadata(metadata: pq.FileMetaData, size: int) -> None:
    """Refuse what is told of columns where Arrow cannot make sense of it.

    Its exceptions about that end the process (pyarrow 26), but where it reads. So each column is
    read from zeros, which no page begins with: who gets to a page has understood what is told.
    """
    if not metadata.num_columns:
        raise ValueError("it has no column")
    zeros = pa.BufferReader(mmap(-1, size, access=ACCESS_COPY))  # memory that is never touched
    file = pq.ParquetFile(zeros, metadata=metadata)
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            try:
                file.reader.read_row_group(group, [column])
            except OSError as error:
                if "page header" not in str(error):
                    raise


def _rows_claimed(metadata: pq.FileMetaData) -> int:
    """The most rows that a file claims to have: it says so in three places, and may lie in each."""
    rows = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = [group.column(place) for place in range(metadata.num_columns)]
        if strange := {column.compression for column in columns} - _PACKED:
            packed = " or ".join(sorted(_PACKED))
            raise ValueError(f"it is packed by {min(strange)}; expected {packed}")
        rows += max([group.num_rows, *(column.num_values for column in columns)])
    return max(rows, metadata.num_rows)
