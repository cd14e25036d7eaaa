"""What every built-in rule has, before any is built."""

from slo.identity import fingerprint
from slo.rules.rule import Mode, RuleId, Settings


def test_a_rule_has_a_name_that_is_a_key_of_the_configuration_and_an_alert_of_its_own() -> None:
    assert all(one.value.isidentifier() and one.value == one.value.lower() for one in RuleId)
    assert len({fingerprint({"alertname": one.value, "severity": "page"}) for one in RuleId}) == len(RuleId)


def test_without_a_configuration_the_sound_reading_acts() -> None:
    assert (True, Mode.SOUND, None) == (Settings().enabled, Settings().mode, Settings().threshold)
