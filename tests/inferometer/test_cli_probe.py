"""The verbs below `probe`: each says what it does and how it ends."""

import pytest

from inferometer.__main__ import outcome


def test_every_verb_is_listed_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["probe", "--help"]) == 0
    assert "exposure" in capsys.readouterr().out


def test_the_help_of_the_audit_says_what_is_sent_and_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["probe", "exposure", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "never POST" in told
    assert "3 something is" in told
