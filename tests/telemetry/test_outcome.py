from enum import StrEnum

import pytest

from telemetry.outcome import AbortBy, Eligibility, Flag, Origin, Outcome, Phase, TokSource, TokTimeQuality, TtftQuality

WORDS: list[type[StrEnum]] = [
    Outcome, Phase, Origin, Eligibility, AbortBy, TtftQuality, TokSource, TokTimeQuality
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words.__name__)
def test_a_word_is_its_name_in_small_letters_or_empty(words: type[StrEnum]) -> None:
    assert [word for word in words if word.value not in {word.name.lower(), ""} and words is not Outcome] == []


def test_there_are_twenty_two_outcomes() -> None:
    assert len(Outcome) == 22  # spec/measurement.md 9: one line each


def test_flags_are_twelve_different_bits() -> None:
    assert sum(Flag) == 2**12 - 1
    assert len(Flag) == 12
