"""The list of rules: made, documented, and asking what a store can answer."""

from pathlib import Path

import pytest

from inferometer.rule_keys import WINDOW_S_MAX
from slo.rules.catalogue import CATALOGUE, about, page, rules
from slo.rules.rule import Mode, Rule, RuleId, Settings
from telemetry.store import Store

ROOT = Path(__file__).parents[3]
AT_S = 1_790_000_000 // 86_400 * 86_400


def test_the_page_in_the_repository_is_the_generated_one() -> None:
    # To make it so: inferometer config rules > docs/rules.md
    assert page() == (ROOT / "docs" / "rules.md").read_text()


def test_settings_reach_the_rule_that_they_name() -> None:
    naive = Settings(mode=Mode.NAIVE)
    made = {rule.id: rule for rule in rules({RuleId.OOM: naive})}

    assert made.keys() == CATALOGUE.keys() == set(RuleId)
    assert [one for one, rule in made.items() if rule.settings == naive] == [RuleId.OOM]


@pytest.mark.parametrize("window_s", [60, 90, 3_600, WINDOW_S_MAX])
def test_every_rule_has_a_question_about_every_window_that_may_be_set(window_s: int) -> None:
    for rule in rules(dict.fromkeys(RuleId, Settings(window_s=window_s))):
        assert rule.questions(AT_S), rule.id


@pytest.mark.parametrize("window_s", [60, 90, 3_600, 7_200, 86_400, WINDOW_S_MAX])
def test_no_rule_asks_about_more_than_its_question_reads(window_s: int) -> None:
    for rule in rules(dict.fromkeys(RuleId, Settings(window_s=window_s))):
        for name, question in rule.questions(AT_S).items():
            since_ms = int(str(question.parameters.get("since", AT_S * 1_000)))
            first_ms = float(str(question.parameters.get("first", since_ms)))
            assert first_ms <= since_ms, (rule.id, name)


@pytest.mark.parametrize("rule", [RuleId.THROUGHPUT_BELOW_EXPECTED, RuleId.TELEMETRY_SELF, RuleId.QUALITY_CANARY])
def test_a_window_is_of_whole_minutes_where_minutes_are_counted(rule: RuleId) -> None:
    asked = CATALOGUE[rule](settings=Settings(window_s=90)).questions(AT_S)

    assert {0} == {int(str(one.parameters["since"])) % 60_000 for one in asked.values() if "since" in one.parameters}


@pytest.mark.parametrize(
    "rule", [RuleId.REPLICA_OUTLIER, RuleId.MISFIT_ENDPOINT_ON_BATCH_STACK, RuleId.MISFIT_WORKFLOW_STATELESS]
)
def test_what_is_read_row_by_row_every_few_minutes_is_of_a_day_at_most(rule: RuleId) -> None:
    asked = CATALOGUE[rule](settings=Settings(window_s=WINDOW_S_MAX)).questions(AT_S)

    assert {(AT_S - 86_400) * 1_000} == {one.parameters["since"] for one in asked.values() if "since" in one.parameters}


def test_a_window_that_is_compared_with_the_days_before_is_less_than_a_day() -> None:
    [usual] = [
        one.parameters["length_s"]
        for one in CATALOGUE[RuleId.QUALITY_CANARY](settings=Settings(window_s=WINDOW_S_MAX)).questions(AT_S).values()
        if "length_s" in one.parameters
    ]

    assert 86_400 - 60 == usual


@pytest.mark.parametrize("rule", list(RuleId))
def test_a_window_that_may_be_set_changes_what_is_asked(rule: RuleId) -> None:
    usual, other = (CATALOGUE[rule](settings=Settings(window_s=window_s)) for window_s in (None, 7_200))
    changes = usual.questions(AT_S) != other.questions(AT_S)

    assert changes is ("window_s" not in about(rule).without)


@pytest.mark.parametrize("rule", rules({}), ids=lambda rule: rule.id)
def test_a_rule_is_asked_at_instants_of_the_engine_and_the_store_answers(rule: Rule, reader: Store) -> None:
    assert rule.every_s % 30 == 0
    assert rule.for_s % 30 == 0
    assert about(rule.id).default
    rows = {name: reader.query(question) for name, question in rule.questions(AT_S).items()}

    assert all(set(found.labels) for found in rule.judge(AT_S, rows))
