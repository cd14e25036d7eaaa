"""The verbs below `hints`: a first word that is no verb is the name of a target."""

import pytest

from inferometer.cli import run
from inferometer.errors import ConfigurationError, UnreachableError

NOBODY = ["--url", "http://127.0.0.1:1"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="all of them"),
        pytest.param(["chat"], id="one"),
        pytest.param(["show", "history"], id="one that has the name of a verb"),
        pytest.param(["history", "chat"], id="its past"),
        pytest.param(["proposals", "chat"], id="schedules that it suggests"),
        pytest.param(["ack", "chat", "--hint", "h", "--replicas", "3", "--actor", "ann", "--automated"], id="an ack"),
        pytest.param(["replicas", "chat", "3", "--actor", "ann"], id="a report"),
        pytest.param(
            ["freeze", "chat", "--until", "2026-09-21T15:00:00Z", "--reason", "x", "--actor", "ann"], id="a freeze"
        ),
        pytest.param(["unfreeze", "chat", "--reason", "x", "--actor", "ann"], id="its end"),
    ],
)
def test_a_verb_asks_whoever_makes_hints(words: list[str]) -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        run(["hints", *words, *NOBODY])


def test_what_an_act_needs_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="--actor"):
        run(["hints", "ack", "chat", "--hint", "h", "--replicas", "3"])
    assert 0 == run(["hints", "--help"])
    assert "Commands:" in capsys.readouterr().out
