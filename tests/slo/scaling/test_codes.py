"""Each reason and each veto has its sentence."""

from slo.scaling.codes import MEANINGS, Reason, Veto


def test_every_code_has_a_sentence() -> None:
    assert {*Reason, *Veto} == MEANINGS.keys()
    assert all(text.endswith(".") and text[0].isupper() for text in MEANINGS.values())


def test_the_codes_are_those_of_the_schema() -> None:
    # scaling.md 1: 23 reasons, 17 vetoes; NO_OBJECTIVE is ours
    assert (24, 17) == (len(Reason), len(Veto))
    assert all(code.name == code.value for code in (*Reason, *Veto))
