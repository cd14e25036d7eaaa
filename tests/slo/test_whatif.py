"""What another target or condition would have made of requests."""

from dataclasses import replace
from typing import Any

import pytest
from engine_rig import objective

from slo.errors import ObjectiveError
from slo.objective import definition_hash
from slo.shown import hexadecimal
from slo.whatif import WHATIF_S_MAX, changed, variant

AT_S = 1_790_000_010
OF = objective("chat")


def row(at_s: int, eligible: int, good: int, endpoint: str = "a") -> dict[str, Any]:
    return {"group_key": f'{{"endpoint":"{endpoint}"}}', "t_unix_s": at_s, "eligible": eligible, "good": good}


def test_attainment_and_bad_ones_are_summed_and_pages_counted() -> None:
    """Ten minutes of two groups: one good, one in which half is bad for its last five minutes, which pages."""
    rows = [row(AT_S + 30 * n, 20, 20, "b") for n in range(20)]
    rows += [row(AT_S + 30 * n, 20, 20 if n < 10 else 10) for n in range(20)]
    found = variant(OF, rows, AT_S, AT_S + 600)

    assert (found.n, found.good_n, found.bad, found.attained) == (800, 700, 100, False)
    assert found.sli == 700 / 800
    assert [(one.group, one.n, one.bad) for one in found.groups] == [
        ({"endpoint": "a"}, 400, 100), ({"endpoint": "b"}, 400, 0),
    ]  # fmt: skip
    assert (found.pages, found.good, found.definition_hash) == (1, "ok", hexadecimal(definition_hash(OF)))
    loose = variant(changed(OF, 0.5, ""), rows, AT_S, AT_S + 600)
    assert (loose.target, loose.attained, loose.pages, loose.bad) == (0.5, True, 0, 100)


def test_without_requests_nothing_is_attained_or_missed() -> None:
    found = variant(OF, [], AT_S, AT_S + 600)

    assert (found.n, found.sli, found.attained, found.pages, found.groups) == (0, None, None, 0, ())


def test_what_is_not_said_stays() -> None:
    assert changed(OF, None, "") == OF
    assert changed(OF, 0.0, "") == replace(OF, target=0.0)
    other = changed(OF, None, "ok and ttft_s <= 0.5")
    assert definition_hash(other) != definition_hash(OF)
    with pytest.raises(ObjectiveError):
        changed(OF, None, "ttft_s <=")


def test_the_longest_time_is_some_days() -> None:
    assert WHATIF_S_MAX == 3 * 86_400
