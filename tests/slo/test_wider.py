"""Tests of slo.wider: groups with too few requests are judged together, in the narrowest group that has enough."""

import json
from dataclasses import replace

import pytest
from histories import DAY_S, objective

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.buckets import Bucket
from slo.budget import Budget
from slo.counts import Counts
from slo.evaluation import evaluate
from slo.objective import Budgeting, Indicator
from slo.sight import Heard, Key, Sight, facts
from slo.watched import Watched, watched
from slo.wider import widened
from telemetry.queries.asked import Dim

AT_S = 1_790_000_010 // 30 * 30
HOUR_S = 3_600
DIMS = (Dim.ENDPOINT, Dim.MODEL, Dim.REGION)
ONE = watched(replace(objective(0.99), indicator=Indicator(group_by=DIMS)))


def key(endpoint: str, model: str, region: str, name: str = "chat-good") -> Key:
    return name, json.dumps({"endpoint": endpoint, "model": model, "region": region}, separators=(",", ":"))


def sight(groups: dict[Key, Counts], expected: float = 0.0) -> Sight:
    """What was counted in the last minutes, of each group."""
    return Sight(
        at_s=AT_S,
        windows={group: dict.fromkeys(ONE.windows_s, counts) for group, counts in groups.items()},
        recent={group: [Bucket(start_s=AT_S - 60, counts=counts)] for group, counts in groups.items()},
        heard={"chat": Heard(expected=1, fresh=1)},
        expected=dict.fromkeys(groups, expected) if expected else {},
    )


def wider(seen: Sight, one: Watched = ONE, *alerts: Alert) -> dict[str, Counts]:
    found = widened(seen, [one], dict(enumerate(alerts)))
    return {group: found.windows[name, group][21_600] for name, group in found.wider}


FEW = Counts(eligible=4, bad=2)
"""Half is bad; too few to say so."""
FINE = Counts(eligible=1_000)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param(
            {key("chat", str(n), "eu"): FEW for n in range(5)},
            {'{"endpoint":"chat","region":"eu"}': Counts(eligible=20, bad=10)},
            id="five models in one region",
        ),
        pytest.param(
            {key("chat", "a", "eu"): FEW, key("chat", "a", "us"): FEW, key("chat", "b", "us"): FEW},
            {'{"endpoint":"chat"}': Counts(eligible=12, bad=6)},
            id="no region has enough, the endpoint has",
        ),
        pytest.param(
            {key("chat", "a", "eu"): FEW, key("code", "a", "eu"): FEW},
            {"{}": Counts(eligible=8, bad=4)},
            id="nobody has enough, so all is judged as one",
        ),
        pytest.param(
            {key("chat", "a", "eu"): FEW, key("chat", "b", "eu"): FINE},
            {'{"endpoint":"chat","region":"eu"}': Counts(eligible=1_004, bad=2)},
            id="the others of its region are well, and it is judged among them",
        ),
        pytest.param({key("chat", "a", "eu"): Counts(eligible=100, bad=50)}, {}, id="enough to speak by itself"),
        pytest.param({key("chat", "a", "eu"): Counts(eligible=4)}, {}, id="few requests, and none was bad"),
        pytest.param({key("chat", "a", "eu"): FEW}, {}, id="there are no others"),
        pytest.param(
            {key("chat", "", ""): FEW, key("chat", "a", ""): FEW},
            {},
            id="its alerts would be those of one without names",
        ),
        pytest.param(
            {key("chat", "a", "eu"): Counts(eligible=100, bad=3), key("chat", "b", "eu"): Counts(eligible=900, bad=80)},
            {},
            id="one is well, the other has many and burns just about as it may",
        ),
        pytest.param({}, {}, id="no requests"),
    ],
)
def test_the_narrowest_group_that_has_enough(groups: dict[Key, Counts], expected: dict[str, Counts]) -> None:
    assert wider(sight(groups)) == expected


@pytest.mark.parametrize(
    ("state", "labels", "judged"),
    [
        pytest.param(AlertState.FIRING, {"endpoint": "chat", "region": "eu"}, True, id="it fires"),
        pytest.param(AlertState.INACTIVE, {"endpoint": "chat", "region": "eu"}, False, id="it is at rest"),
        pytest.param(
            AlertState.FIRING,
            {"endpoint": "chat", "region": "eu", "model": "a"},
            False,
            id="it is that of a group itself",
        ),
        pytest.param(AlertState.FIRING, {"endpoint": "gone", "region": "eu"}, False, id="of it nothing is left"),
    ],
)
def test_a_wider_group_is_judged_until_its_alert_is_at_rest(
    state: AlertState, labels: dict[str, str], judged: bool
) -> None:
    alert = Alert(
        record=Record(fingerprint=1, definition_hash=1, state=state),
        labels={"alertname": "chat-good", "slo": "chat-good", "severity": "page", **labels},
        annotations={},
    )
    well = sight({key("chat", "a", "eu"): FINE, key("chat", "b", "eu"): FINE})

    assert bool(wider(well, ONE, alert)) == judged
    assert wider(well) == {}


def test_what_is_judged_together_pages() -> None:
    groups = {key("chat", str(n), "eu"): FEW for n in range(20)}
    seen = widened(sight(groups, expected=10.0), [ONE], {})
    ((_, wide),) = seen.wider
    together = evaluate(ONE, facts(ONE, wide, seen, 30 * DAY_S))
    alone = evaluate(ONE, facts(ONE, next(iter(groups))[1], seen, 30 * DAY_S))

    assert {severity.value: event.value for severity, event in together.events.items()} == {
        "page": "bad",
        "ticket": "bad",
    }
    assert alone.speaking == {}
    assert together.facts.expected == 200
    assert together.budget.judged == 80
    assert [bucket.counts.eligible for bucket in together.facts.recent] == [80]


def test_an_objective_without_groups_and_one_of_slices_stay_as_they_are() -> None:
    plain = watched(objective(0.99))
    sliced = replace(ONE, objective=replace(ONE.objective, budgeting=Budgeting.TIMESLICES))
    seen = sight({key("chat", "a", "eu"): FEW})
    whole = replace(seen, budgets={key("chat", "a", "eu"): Budget(sli=0.5, remaining=0.0, judged=2)})

    assert widened(sight({("chat-good", "{}"): FEW}), [plain], {}).wider == frozenset()
    assert wider(whole, sliced) == {}


def test_groups_of_the_service_alone_have_no_wider_one_but_it() -> None:
    one = watched(replace(objective(0.99), indicator=Indicator(group_by=(Dim.ENDPOINT,))))
    few = {("chat-good", f'{{"endpoint":"{name}"}}'): FEW for name in ("a", "b", "c")}

    same = {("chat-good", f'{{"endpoint":"a","model":"{name}"}}'): FEW for name in ("a", "b")}
    models = watched(replace(objective(0.99), indicator=Indicator(group_by=(Dim.ENDPOINT, Dim.MODEL))))

    assert wider(sight(few), one) == {"{}": Counts(eligible=12, bad=6)}
    assert wider(sight(same), models) == {'{"endpoint":"a"}': Counts(eligible=8, bad=4)}, "the only endpoint is named"
