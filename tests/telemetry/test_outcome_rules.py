"""The tables are complete and written the way they are looked up."""

from telemetry.outcome import Eligibility, Outcome
from telemetry.outcome_rules import (
    CLIENT_FAULTS,
    ENGINES,
    FINISHES,
    NATURE,
    PROXIES,
    STATUS_CLASSES,
    STATUSES,
    TEXTS,
    TYPE_STARTS,
    TYPES,
    WORDS,
)


def test_every_outcome_has_a_nature() -> None:
    assert set(Outcome) == set(NATURE)


def test_eligibility_is_the_column_of_the_taxonomy() -> None:
    by_eligibility = {
        eligible: {outcome.value for outcome, nature in NATURE.items() if nature.eligible is eligible}
        for eligible in Eligibility
    }

    assert {"ok"} == by_eligibility[Eligibility.GOOD]
    assert {"client_cancelled"} == by_eligibility[Eligibility.CENSORED]
    assert {
        "invalid_request",
        "context_length",
        "auth",
        "not_found",
        "quota_exhausted",
        "content_filtered",
        "client_limit",
        "unobserved",
    } == by_eligibility[Eligibility.EXCLUDED]


def test_keys_are_lower_case_where_they_are_looked_up_so() -> None:
    keys = [*WORDS, *TYPES, *PROXIES, *ENGINES, *(text for text, _ in TEXTS), *(start for start, _ in TYPE_STARTS)]

    assert [key.lower() for key in keys] == keys


def test_no_table_names_what_only_the_meter_can_see() -> None:
    told = {*WORDS.values(), *TYPES.values(), *STATUSES.values(), *STATUS_CLASSES.values(), *FINISHES.values()}

    assert told.isdisjoint({Outcome.OK, Outcome.CLIENT_CANCELLED, Outcome.CLIENT_LIMIT, Outcome.UNOBSERVED})
    assert all(NATURE[outcome].eligible is Eligibility.EXCLUDED for outcome in CLIENT_FAULTS)
