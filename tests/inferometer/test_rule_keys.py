"""The keys of the built-in rules: each rule has those that mean something, and what is wrong is named."""

from pathlib import Path

import msgspec
import pytest

from inferometer.config import load
from inferometer.errors import ConfigurationError
from inferometer.rule_keys import WINDOW_S_MAX, RuleKeys, told
from slo.burn_catalogue import Severity
from slo.rules.about import ABOUT
from slo.rules.rule import Mode, RuleId, Settings


def configured(folder: Path, rules: str, **environ: str) -> dict[RuleId, Settings]:
    file = folder / "config.yaml"
    file.write_text(f"slo: {{rules: {rules}}}")
    keys = load(file, environ={f"INFEROMETER_SLO__RULES__{name}": value for name, value in environ.items()}).slo.rules
    return msgspec.convert(told(keys), dict[RuleId, Settings])


def test_what_is_configured_becomes_the_settings_of_a_rule(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        "{oom: {threshold: 4, severity: ticket, mode: both, window_s: 60}, p99_drift: {options: {page_ratio: 12}}}",
        ANOMALY__ENABLED="false",
        P99_DRIFT__OPTIONS__ANCHOR_S="2",
    )

    assert found == {
        RuleId.OOM: Settings(threshold=4.0, severity=Severity.TICKET, mode=Mode.BOTH, window_s=60),
        RuleId.P99_DRIFT: Settings(options={"page_ratio": 12.0, "anchor_s": 2.0}),
        RuleId.ANOMALY: Settings(enabled=False),
    }


def test_what_is_not_configured_is_not_told() -> None:
    assert told(RuleKeys()) == {}
    assert set(RuleKeys.model_fields) == set(ABOUT)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("{ooom: {enabled: false}}", "slo.rules.ooom.enabled: unknown key, nearest is slo.rules.oom.enabled; allowed"),
        ("{oom: {enabled: maybe}}", "slo.rules.oom.enabled: found 'maybe'; allowed: true or false"),
        ("{oom: {threshold: 0}}", "slo.rules.oom.threshold: found 0; allowed: a number above 0"),
        ("{oom: {threshold: .inf}}", "slo.rules.oom.threshold: found inf; allowed: a number above 0"),
        ("{oom: {threshold: yes}}", "slo.rules.oom.threshold: found True; allowed: a number above 0"),
        ("{oom: {mode: naiv}}", "slo.rules.oom.mode: found 'naiv'; allowed: sound, naive or both"),
        ("{oom: {severity: info}}", "slo.rules.oom.severity: found 'info'; allowed: page or ticket"),
        ("{oom: {window_s: 59}}", "slo.rules.oom.window_s: found 59; allowed: whole seconds from 60 to 2592000"),
        ("{oom: {min_events: 1}}", "slo.rules.oom.min_events: unknown key"),
        ("{stalled_engine: {window_s: 60}}", "slo.rules.stalled_engine.window_s: unknown key"),
        ("{gpu_band: {threshold: 1}}", "slo.rules.gpu_band.threshold: unknown key"),
        ("{p99_drift: {options: {page: 1}}}", "slo.rules.p99_drift.options.page: unknown key, nearest is "),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, rules: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace(".", r"\.")):
        configured(tmp_path, rules)


def test_the_longest_window_is_allowed_and_no_longer_one(tmp_path: Path) -> None:
    assert configured(tmp_path, f"{{oom: {{window_s: {WINDOW_S_MAX}}}}}")[RuleId.OOM].window_s == WINDOW_S_MAX
    with pytest.raises(ConfigurationError, match="found 2592001"):
        configured(tmp_path, f"{{oom: {{window_s: {WINDOW_S_MAX + 1}}}}}")
