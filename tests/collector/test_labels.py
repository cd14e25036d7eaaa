import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.labels import (
    _LABEL_CHARS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _MODELS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _REPLICAS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    OTHER,
    UNKNOWN,
    Labels,
    sanitised,
)


def test_a_configured_model_is_known_from_the_start() -> None:
    assert Labels(["llama"]).model("llama", http_status=500) == "llama"


def test_a_model_is_learnt_from_a_successful_answer() -> None:
    labels = Labels()

    assert labels.model("mistral", http_status=404) == UNKNOWN
    assert labels.model("mistral", http_status=200) == "mistral"
    assert labels.model("mistral", http_status=503) == "mistral"


def test_no_model_is_no_label() -> None:
    assert Labels().model("", http_status=200) == ""


def test_models_are_learnt_up_to_the_bound_and_not_beyond() -> None:
    labels = Labels(["configured"])
    learnt = [labels.model(f"m{at}", http_status=200) for at in range(_MODELS_MAX)]

    assert learnt == [f"m{at}" for at in range(_MODELS_MAX)]
    assert labels.model("one more", http_status=200) == UNKNOWN
    assert labels.model("m0", http_status=200) == "m0"
    assert labels.model("configured", http_status=200) == "configured"


def test_upstream_addresses_are_kept_up_to_the_bound() -> None:
    labels = Labels()
    addresses = [f"10.0.0.{at}:8000" for at in range(_REPLICAS_MAX)]

    assert [labels.replica(address) for address in addresses] == addresses
    assert labels.replica("10.9.9.9:8000") == OTHER
    assert labels.replica(addresses[0]) == addresses[0]
    assert labels.replica("") == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [("org/Model-1.5", "org/Model-1.5"), ("a\nb\x1b[31m", "a?b?[31m"), ("\ud800x", "?x"), ("モデル", "モデル")],
)
def test_what_cannot_be_printed_is_replaced(name: str, expected: str) -> None:
    assert sanitised(name) == expected


def test_a_label_at_the_bound_is_kept_and_a_longer_one_cut() -> None:
    assert sanitised("x" * _LABEL_CHARS_MAX) == "x" * _LABEL_CHARS_MAX
    assert sanitised("x" * (_LABEL_CHARS_MAX + 1)) == "x" * _LABEL_CHARS_MAX


@given(st.text())
def test_any_name_becomes_a_printable_bounded_label(name: str) -> None:
    label = sanitised(name)

    assert label.isprintable()
    assert len(label) <= _LABEL_CHARS_MAX
    assert sanitised(label) == label
