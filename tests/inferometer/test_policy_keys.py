"""The keys of the error-budget policy: what they become, what is refused, and what another process is handed."""

import json
from pathlib import Path

import msgspec
import pytest

from inferometer.config import load
from inferometer.errors import ConfigurationError
from inferometer.policy_keys import HYSTERESIS_MAX, SHARES_MAX, PolicyKeys, policy, told
from slo.freeze import DEFAULT_POLICY, Action, Policy, Threshold


def configured(folder: Path, keys: str, **environ: str) -> Policy:
    file = folder / "config.yaml"
    file.write_text(f"slo: {{policy: {keys}}}")
    found = load(file, environ={f"INFEROMETER_SLO__POLICY__{name}": value for name, value in environ.items()})
    return policy(found.slo.policy)


def test_what_is_not_configured_is_the_usual_policy() -> None:
    assert policy(PolicyKeys()) == DEFAULT_POLICY


def test_shares_become_thresholds_of_all_that_is_asked_for_there(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        "{notify: [0.1, 0.3], freeze_releases: [0.1], freeze_scale_down: [], hysteresis: 0}",
        REQUIRE_APPROVAL="0.3,",
    )

    assert found == Policy(
        thresholds=(
            Threshold(remaining=0.3, actions=frozenset({Action.NOTIFY, Action.REQUIRE_APPROVAL})),
            Threshold(remaining=0.1, actions=frozenset({Action.NOTIFY, Action.FREEZE_RELEASES})),
        ),
        hysteresis=0,
    )


def test_another_process_is_handed_the_same() -> None:
    keys = PolicyKeys(notify=(0.7,), hysteresis=0.1)

    assert msgspec.convert(json.loads(json.dumps(told(keys))), Policy) == policy(keys)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param(f"{{notify: {[0.1] * SHARES_MAX}}}", f"{{notify: {[0.1] * (SHARES_MAX + 1)}}}", id="thresholds"),
        pytest.param("{notify: [1]}", "{notify: [1.1]}", id="more than all"),
        pytest.param("{notify: [-10]}", "{notify: [-.inf]}", id="no number"),
        pytest.param(f"{{hysteresis: {HYSTERESIS_MAX}}}", "{hysteresis: 0.51}", id="hysteresis"),
        pytest.param("{freeze_releases: []}", "{freeze: []}", id="an unknown action"),
        pytest.param("{freeze_releases: [0]}", "{freeze_releases: 0.2}", id="no list"),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, good: str, bad: str) -> None:
    configured(tmp_path, good)
    with pytest.raises(ConfigurationError, match=r"slo\.policy\."):
        configured(tmp_path, bad)
