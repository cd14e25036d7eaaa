"""The trail: each act follows the one before, and whatever is changed later shows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.audit import FIRST_HASH, Act, By, Deed, act, broken_at, digest
from slo.desk_records import Ack

BY = By(who="ann", at_s=1_790_000_000, address="127.0.0.1")


def chain(n: int) -> list[Act]:
    acts: list[Act] = []
    for at in range(n):
        prev = acts[-1].hash if acts else FIRST_HASH
        acts.append(act(Deed.ALERT_TAKEN_ON, str(at), BY, (None, Ack(fingerprint=at, who="ann", at_s=at)), prev))
    return acts


def test_an_act_says_who_did_what_to_what_and_why() -> None:
    one = act(Deed.SILENCE_ENDED, "q", replace(BY, reason="done"), ({"b": 1, "a": 2}, {"a": 3}), FIRST_HASH)

    assert (one.actor, one.action, one.object, one.source_ip) == ("ann", "silence.end", "q", "127.0.0.1")
    assert (one.at_ms, one.before, one.after) == (1_790_000_000_000, '{"a":2,"b":1}', '{"a":3,"reason":"done"}')
    assert one.hash == digest(one) == digest(replace(one, hash=""))
    assert act(Deed.SILENCE_MADE, "q", BY, (None, None), FIRST_HASH).before == ""


def test_a_chain_is_whole_until_somebody_touches_it() -> None:
    acts = chain(4)

    assert broken_at(acts) is None
    assert broken_at(acts[1:]) is None, "a part of it, too"
    assert broken_at([acts[0], *acts[2:]]) == 1, "one is missing"
    assert broken_at([acts[0], acts[2], acts[1], acts[3]]) == 1, "two are swapped"
    assert broken_at([]) is None


FIELDS = ["at_ms", "actor", "action", "object", "before", "after", "source_ip"]


@pytest.mark.parametrize("field", FIELDS)
@given(text=st.text(max_size=9), number=st.integers(0, 2**40))
def test_whatever_is_changed_breaks_the_chain_there(field: str, text: str, number: int) -> None:
    acts = chain(3)
    value = number if field == "at_ms" else text
    changed = replace(acts[1], **{field: value})  # type: ignore[arg-type]  # of the field's type

    assert broken_at([acts[0], changed, acts[2]]) == (None if changed == acts[1] else 1)
