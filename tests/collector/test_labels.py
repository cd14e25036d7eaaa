import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.labels import (
    _COMBINATIONS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _LABEL_CHARS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _MODELS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _REPLICAS_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    OTHER,
    UNKNOWN,
    Dims,
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
    assert labels.folded["replica"] == 1
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


HOSTILE = ["x" * 10_000, "\ud800", "a\x00b", "' OR 1=1", "\u202egnp.exe"]


@pytest.mark.parametrize("name", HOSTILE, ids=["10 kB", "lone surrogate", "NUL", "quotes", "right to left"])
def test_a_hostile_name_is_unknown_and_counted_until_an_engine_knows_it(name: str) -> None:
    labels = Labels()

    assert labels.model(name, http_status=404) == UNKNOWN
    assert labels.folded == {"model": 1, "region": 0, "replica": 0, "variant": 0}
    assert labels.model(name, http_status=200) == sanitised(name)
    assert labels.folded["model"] == 1


def dims(model: str = "m", region: str = "r", variant: str = "v") -> Dims:
    return Dims(endpoint="e", model=model, region=region, workload_class="", variant=variant, traffic="user")


def test_new_combinations_lose_variant_then_region_then_model() -> None:
    labels = Labels()
    for n in range(1900):
        assert labels.combination(dims(variant=f"v{n}"), 1) == dims(variant=f"v{n}")

    assert labels.combination(dims(variant="v7"), 1) == dims(variant="v7")
    for n in range(60):
        assert labels.combination(dims(model=f"m{n}", variant="new"), 1) == dims(model=f"m{n}", variant=OTHER)
    for n in range(30):
        kept = dims(model=f"n{n}", region=OTHER, variant=OTHER)
        assert labels.combination(dims(model=f"n{n}", variant="new"), 1) == kept
    assert labels.combination(dims("late", "late", "late"), 1) == dims(OTHER, OTHER, OTHER)
    assert labels.folded == {"variant": 91, "region": 31, "model": 1, "replica": 0}


def test_a_day_never_has_more_combinations_than_the_bound_and_the_next_day_begins_anew() -> None:
    labels = Labels()
    found = {labels.combination(dims(f"m{n}", f"r{n % 50}", f"v{n}"), 1) for n in range(3 * _COMBINATIONS_MAX)}

    assert 1990 < len(found) <= _COMBINATIONS_MAX == 2000
    assert labels.combination(dims("m5999"), 2) == dims("m5999")


def test_what_is_all_folded_is_kept_even_beyond_the_bound() -> None:
    labels = Labels()
    folded = [dims(OTHER, OTHER, OTHER)._replace(endpoint=f"e{n}") for n in range(_COMBINATIONS_MAX + 1)]

    assert [labels.combination(one, 1) for one in folded] == folded


@given(st.text())
def test_any_name_becomes_a_printable_bounded_label(name: str) -> None:
    label = sanitised(name)

    assert label.isprintable()
    assert len(label) <= _LABEL_CHARS_MAX
    assert sanitised(label) == label
