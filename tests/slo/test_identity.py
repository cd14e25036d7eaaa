"""What makes two alerts the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from slo.identity import fingerprint, identity_labels

LABELS = {"alertname": "BurnRate", "slo": "chat-good", "severity": "page"}


def test_values_windows_and_replicas_are_no_identity() -> None:
    known = {**LABELS, "window": "1h", "burn": "17.2", "replica": "engine-2", "region": ""}

    assert {**LABELS, "team": "chat"} == identity_labels(known, {"team": "chat", "severity": "ticket"})


def test_a_fingerprint_is_the_same_everywhere() -> None:
    backwards = dict(reversed(LABELS.items()))

    # printf '9:alertname8:BurnRate8:severity4:page3:slo9:chat-good' | sha256sum | cut -c1-16
    assert 0xA9ACAE49CA9A9171 == fingerprint(LABELS) == fingerprint(backwards)


TEXTS = st.text("ab1:", max_size=3)
LABEL_SETS = st.dictionaries(TEXTS, TEXTS, max_size=3)


@settings(max_examples=50, deadline=None)
@given(one=LABEL_SETS, other=LABEL_SETS)
def test_other_labels_have_another_fingerprint(one: dict[str, str], other: dict[str, str]) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
    assert 0 <= fingerprint(one) < 2**64


def test_labels_cannot_be_shifted_into_each_other() -> None:
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})
