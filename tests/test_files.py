"""Replacing a file or a folder whole, also behind a link; test_faults has the kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from movierec.errors import InputError
from movierec.files import is_earlier, recovered, replacing, write_whole


def make(path: Path, text: str) -> None:
    with replacing(path) as new:
        new.mkdir()
        (new / "a").write_text(text)


def make_half(path: Path) -> None:
    with replacing(path) as new:
        new.write_text("half")
        raise TypeError


def test_of_two_faults_of_a_writing_the_first_is_told_by_the_name_that_was_asked_for(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught:  # nor can what is half be taken away there
        write_whole(tmp_path / "file" / "mine", "text")
    assert caught.value.filename == str(tmp_path / "file" / "mine")


def test_file_is_replaced_by_what_the_block_makes_or_stays(tmp_path):
    path = tmp_path / "a"
    for text in ("old", "new"):
        with replacing(path) as new:
            new.write_text(text)
        assert path.read_text() == text
    with pytest.raises(TypeError):
        make_half(path)
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_link_to_a_folder_stays_and_leads_to_the_new_one(tmp_path):
    make(tmp_path / "far" / "set", "old")
    (tmp_path / "near").symlink_to(tmp_path / "far" / "set")
    make(tmp_path / "near", "new")
    assert (tmp_path / "near").is_symlink()
    assert (tmp_path / "far" / "set" / "a").read_text() == "new"


def test_reader_finishes_what_a_killed_process_had_still_to_do(tmp_path):
    make(tmp_path / "set", "old")
    workplace = tmp_path / ".set.writing"
    workplace.mkdir()
    (tmp_path / "set").rename(workplace / "old")
    make(workplace / "new", "new")
    assert (recovered(tmp_path / "set") / "a").read_text() == "new"


def test_only_a_work_of_the_kind_or_nothing_is_replaced(tmp_path):
    path = tmp_path / "set"
    assert not is_earlier(path, "a", "a set")
    path.mkdir()
    (path / ".a.new").write_text("half")  # of a killed process
    assert not is_earlier(path, "a", "a set")
    (path / "b").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a set; name a new folder"):
        is_earlier(path, "a", "a set")
    (path / "a").write_text("the mark")
    assert is_earlier(path, "a", "a set")
