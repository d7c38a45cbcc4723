"""What the fuzzer found, and the kinds of damage that it should begin from, stay mended."""

from __future__ import annotations

import pytest
from fuzz import strangers
from fuzz.readers import CORPUS, check, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from movierec.data.tables import Tables

CASES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_found_case_gives_whole_tables_or_one_message(case):
    check(case.read_bytes())


@pytest.mark.parametrize("seed", seeds())
def test_whole_files_give_tables(seed):
    assert isinstance(check(seed), Tables)


@given(st.sampled_from(seeds()), st.data())
@settings(max_examples=100, deadline=None)
def test_file_cut_anywhere_or_with_any_bytes_put_in_gives_whole_tables_or_one_message(seed, data):
    start = data.draw(st.integers(1, len(seed)))
    stop = data.draw(st.integers(start, len(seed)))
    check(seed[:start] + data.draw(st.binary(max_size=20)) + seed[stop:])


# --- what somebody else has made -----------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(strangers.CORPUS.iterdir()), ids=lambda path: path.name)
def test_found_file_of_a_stranger_is_used_or_refused(case):
    strangers.check(case.read_bytes())


@pytest.mark.parametrize("name", strangers.WHOLE)
def test_whole_file_of_a_stranger_is_used(name):
    assert strangers.check(strangers.case(name, strangers.whole(name))) == "used"


@given(st.sampled_from(strangers.WHOLE), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=150, deadline=None)
def test_changed_file_of_a_stranger_is_used_or_refused(name, rng, blindly):
    whole = strangers.case(name, strangers.whole(name))
    changed = None if blindly else strangers.mutated(whole, rng)
    if changed is None:  # bytes cut out, and others in their place
        start = rng.randint(1, len(whole))
        stop = rng.randint(start, min(start + rng.choice([0, 1, 8, 4096]), len(whole)))
        changed = whole[:start] + rng.randbytes(rng.choice([0, 1, 1, 8])) + whole[stop:]
    strangers.check(changed)
