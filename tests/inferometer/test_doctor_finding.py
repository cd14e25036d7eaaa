"""How findings are told, and the exit code that they ask for."""

import json

import pytest

from inferometer.doctor_finding import STRICT, Finding, Level, error, exit_code, judged, note, ok, text, warn
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError

OK, NOTE, WARN = ok("a.b", "fine"), note("a.c", "absent", "add it"), warn("a.d", "slow", "mend it")


def test_a_finding_is_one_line_with_level_name_and_fix() -> None:
    assert text([OK, NOTE], "text") == ("ok     a.b                fine\nnote   a.c                absent -> add it\n")


def test_json_has_every_key_in_every_finding() -> None:
    whole = Finding(id="x", level=Level.NOTE, finding="f", fix="g", unlocks=("ep.kv",), evidence="e", exit_code=5)

    assert json.loads(text([whole, OK], "json")) == [
        {"id": "x", "level": "note", "finding": "f", "fix": "g", "unlocks": ["ep.kv"], "evidence": "e"},
        {"id": "a.b", "level": "ok", "finding": "fine", "fix": "", "unlocks": [], "evidence": ""},
    ]


@pytest.mark.parametrize(
    ("faults", "strict", "expected"),
    [
        ((), False, 0),
        ((), True, STRICT),
        ((InferometerError("x"),), False, 1),
        ((UnreachableError("x"), InferometerError("x")), True, 5),
        ((UnreachableError("x"), ConfigurationError("x")), False, 2),
    ],
)
def test_the_exit_code_is_of_the_worst_error(faults: tuple[InferometerError, ...], strict: bool, expected: int) -> None:
    assert expected == exit_code([OK, NOTE, WARN, *(error("e", fault) for fault in faults)], strict=strict)


def test_a_note_is_no_warning_and_what_is_good_needs_no_fix() -> None:
    assert exit_code([OK, NOTE], strict=True) == 0
    assert judged("x", "f", "g", good=True) == ok("x", "f")
    assert judged("x", "f", "g", good=False) == warn("x", "f", "g")
