"""Which objective or alert a panel is about."""

import pytest
from views import NOW_S, judged, seen

from slo.panel_about import about, alert_of, judged_of, of_alert
from slo.panel_asked import PanelAsked
from slo.shown import hexadecimal
from telemetry.queries.about import About
from telemetry.queries.asked import Dim


def test_nothing_is_meant_where_nothing_is_named() -> None:
    assert None is about(seen(judged()), PanelAsked(endpoint=["chat"]))
    assert None is judged_of(seen(judged()), PanelAsked())


def test_an_objective_is_meant_with_its_counts_and_its_group() -> None:
    view = seen(judged(bad=5), judged("other", endpoint="b"))
    found = about(view, PanelAsked(slo="other"))

    assert found is not None
    assert found.objective is not None
    assert found.counted is not None
    assert ("other", "other", 0.99, None) == (found.objective.name, found.counted.slo, found.target, found.began_s)
    assert {Dim.ENDPOINT: "b"} == found.where
    assert view.judged[1].watched.definition_hash == found.counted.definition_hash


def test_of_several_groups_the_named_one_is_meant_else_the_worst() -> None:
    view = seen(judged(bad=5), judged(bad=50, endpoint="b"))
    worst, named = (judged_of(view, PanelAsked(slo="chat", group=group)) for group in ("", '{"endpoint": "chat"}'))

    assert worst is not None
    assert named is not None
    assert ({"endpoint": "b"}, {"endpoint": "chat"}) == (worst.group, named.group)


def test_an_alert_is_about_its_objective_since_it_began() -> None:
    view = seen(judged(bad=500))
    (key, alert) = next((key, one) for key, one in view.alerts.items() if one.labels["severity"] == "page")
    found = about(view, PanelAsked(alert=hexadecimal(key)))

    assert of_alert(view, alert) == found
    assert alert is alert_of(view, hexadecimal(key))
    assert found is not None
    assert found.counted is not None
    assert ("chat", NOW_S, {Dim.ENDPOINT: "chat"}) == (found.counted.slo, found.began_s, found.where)


def test_an_alert_without_an_objective_is_about_its_labels() -> None:
    view = seen(judged(bad=500))
    alert = next(iter(view.alerts.values()))
    found = of_alert(seen(judged("other")), alert)

    assert About(where={Dim.ENDPOINT: "chat"}, began_s=NOW_S) == found


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        pytest.param({"alert": "0" * 16}, "no alert 0000000000000000", id="alert"),
        pytest.param({"slo": "nobody"}, "no objective nobody", id="objective"),
        pytest.param({"slo": "chat", "group": '{"endpoint": "x"}'}, "of group", id="group"),
        pytest.param({"slo": "chat", "group": "x"}, "JSON object of strings", id="no group"),
    ],
)
def test_what_is_not_there_is_refused(asked: dict[str, str], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        about(seen(judged()), PanelAsked.model_validate(asked))
