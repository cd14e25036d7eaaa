"""Knows the rows that the verb `slo rules` prints of built-in rules: what is set of each; refuses to print.

Source: spec/slo.md 13.
"""

from collections.abc import Mapping

import msgspec

from inferometer.config_schema import Config
from inferometer.rule_keys import told
from slo.rules.catalogue import about, rules
from slo.rules.rule import Rule, RuleId, Settings

Row = Mapping[str, object]
NAMES = (
    *("rule", "enabled", "mode", "severity", "threshold", "window_s", "min_events", "options", "every_s", "for_s"),
    *("seed", "default", "misleads"),
)
"""Fields of a row."""
BRIEF = ("rule", "enabled", "mode", "threshold", "default")
"""Those of them that fit on a screen."""


def settings_of(config: Config) -> dict[RuleId, Settings]:
    """Return what was configured of built-in rules."""
    return msgspec.convert(told(config.slo.rules), dict[RuleId, Settings])


def rows(config: Config) -> list[Row]:
    """Return a row for every built-in rule; None leaves a setting to the rule."""
    return [_row(rule) for rule in rules(settings_of(config))]


def _row(rule: Rule) -> Row:
    of, is_set = about(rule.id), rule.settings
    return {
        "rule": rule.id.value,
        "enabled": is_set.enabled,
        "mode": is_set.mode.value,
        "severity": is_set.severity.value if is_set.severity else None,
        "threshold": is_set.threshold,
        "window_s": is_set.window_s,
        "min_events": is_set.min_events,
        "options": ", ".join(f"{name}={value:g}" for name, value in is_set.options.items()),
        "every_s": rule.every_s,
        "for_s": rule.for_s,
        "seed": of.seed,
        "default": of.default,
        "misleads": of.misleads,
    }
