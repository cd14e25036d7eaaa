"""Which questions an instant takes: as many for two targets as for one (their rows: telemetry/queries)."""

from typing import TYPE_CHECKING, cast

import pytest
from hints_rig import target

from slo.hints_past import PAST_S, SECONDS_S
from slo.hints_reader import PAST_EVERY_S, HintReader
from telemetry.clock import wall_ms
from telemetry.queries.question import Question

if TYPE_CHECKING:
    from telemetry.store import Store

AT_S = 1_784_110_215


class Heard:
    """A store that answers nothing and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked = list[Question]()

    def query(self, question: Question) -> list[dict[str, object]]:
        self.asked.append(question)
        return []


def test_an_instant_takes_four_questions_whatever_the_number_of_targets() -> None:
    heard = Heard()
    seen = HintReader(cast("Store", heard), [target("b"), target("a"), target("c", endpoint="a")]).seen(AT_S)

    assert (AT_S, 4) == (seen.at_s, len(heard.asked))
    assert {("a", "b")} == {tuple(cast("list[str]", one.parameters["endpoints"])) for one in heard.asked}


def test_the_store_is_asked_for_its_own_time(reader: "Store") -> None:
    assert wall_ms() / 1000 == pytest.approx(HintReader(reader, [target("a")]).store_s(), abs=60)


def test_the_past_ends_with_the_last_whole_slot() -> None:
    heard = Heard()
    reader = HintReader(cast("Store", heard), [target("a")])
    past = reader.past(AT_S)
    reader.profiles(AT_S)

    assert 0 == past.until_s % PAST_EVERY_S
    slots, seconds, _ = heard.asked
    for one, length_s in ((slots, PAST_S), (seconds, SECONDS_S)):
        assert (past.until_s * 1000, (past.until_s - length_s) * 1000) == (
            one.parameters["until"], one.parameters["since"],
        )  # fmt: skip
