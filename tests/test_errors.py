"""Texts of strangers in messages: nothing that a terminal obeys, and of a bounded length."""

from __future__ import annotations

from movierec.errors import one_line, printable


def test_what_a_terminal_would_obey_is_written_out():
    assert printable("né\x1b[31m\n\u202eb\x07") == "né\\x1b[31m\n\\u202eb\\x07"


def test_a_message_holds_a_text_in_one_line_of_a_bounded_length():
    assert one_line(KeyError("a\nb")) == "'a\\nb'"
    assert one_line("a\nb\x1b") == "a\\nb\\x1b"
    assert one_line("a" * 500) == "a" * 500
    assert one_line("a" * 501) == "a" * 497 + "..."
    assert one_line("ab" * 10, 10) == "abababa..."
    assert one_line("\n" * 10, 10) == "\\n\\n\\n\\..."
