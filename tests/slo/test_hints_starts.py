"""How starts of replicas are kept, one by one, over a real store (spec/scaling.md 6.9)."""

from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest
from hints_rig import aligned, target

from slo.errors import DeskFullError
from slo.hints_sight import Seen
from slo.hints_starts import (
    KEPT_S,
    STABLE_ASKED_MAX,
    STABLE_EVERY_S,
    STABLE_N,
    TOLD_MAX,
    TOLD_S,
    HintStarts,
)
from slo.scaling.cold_start import PHASE_S_MAX, ColdStarts, Phase, Told
from slo.scaling.lead import Came, Lead, Starts
from slo.scaling.state import State
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

AT_S = aligned(wall_ms() / 1000) - 7_200


class Given:
    """A target of its own for each test, and who keeps its starts."""

    def __init__(self, name: str, reader: Store, writer: Store) -> None:
        self.name, self.reader, self.writer = name, reader, writer
        self.starts, self.known = self.another(), dict[str, ColdStarts]()

    def another(self) -> HintStarts:
        """Return another replica of the service, or the same one after a restart."""
        return HintStarts(self.reader, self.writer, [target(self.name)])

    def keep(self, at_s: int, *came: Came, by: HintStarts | None = None, **values: Any) -> bool:  # noqa: ANN401
        state = State(starts=Starts(came=came, **values))
        return (by or self.starts).keep(at_s, {self.name: state, "other": state}, self.known, self.seen(at_s))

    def seen(self, at_s: int) -> Seen:
        """Return that r0 says when its process began, and r1 does not."""
        began = [(self.name, "r0", AT_S + 130), (self.name, "r1", 0.0), ("elsewhere", "r1", AT_S + 1.0)]
        rows = [{"endpoint": endpoint, "replica": name, "begun_unix_s": s} for endpoint, name, s in began]
        return Seen(at_s=at_s, engines=rows)

    def found(self, at_s: int = AT_S + 3_600) -> ColdStarts:
        return self.starts.known(at_s)[self.name]

    def serve(self, since_s: float, replica: str, ttft_us: int | None, n: int, **values: object) -> None:
        """Let a replica end a request each second."""
        records = tuple(
            msgspec.structs.replace(
                sample_request(1, round((since_s + at) * 1000)),
                endpoint=self.name,
                replica=replica,
                record_id=uuid5(NAMESPACE_URL, f"{self.name}-{replica}-{since_s}-{at}"),
                ttft_us=ttft_us,
                **values,
            )
            for at in range(n)
        )
        batch = RequestBatch(collector=f"starts/{self.name}", seqs=tuple(range(n)), records=records)
        self.writer.insert_requests(batch, f"starts-{self.name}-{replica}-{since_s}-{ttft_us}-{values}")


@pytest.fixture
def given(request: pytest.FixtureRequest, reader: Store, writer: Store) -> Given:
    return Given(request.node.name, reader, writer)


def came(replica: str = "r0", asked_s: float = 0, ready_s: float = 300) -> Came:
    return Came(replica=replica, asked_at_s=AT_S + asked_s, ready_at_s=AT_S + ready_s)


def only(took_s: float) -> Lead:
    return Lead(p50_s=took_s, p90_s=took_s, n=1)


def test_a_start_is_kept_once_however_many_see_it(given: Given) -> None:
    assert {} == given.starts.known(AT_S)
    assert given.keep(AT_S + 315, came())
    assert not given.keep(AT_S + 330, came())
    assert given.keep(AT_S + 330, came(), by=given.another()), "who begins anew does not know"
    found = given.found()

    assert only(300) == found.lead
    assert {Phase.INIT: only(170), Phase.READY: only(300)} == found.phases, "its process lived 170 s"


@pytest.mark.parametrize(
    ("asked_s", "is_known"), [pytest.param(130, True, id="after"), pytest.param(131, False, id="before")]
)
def test_a_process_that_began_before_it_was_asked_for_tells_nothing(given: Given, asked_s: int, is_known: bool) -> None:
    given.keep(AT_S + 315, came(asked_s=asked_s))

    assert is_known == (Phase.INIT in given.found().phases)


def test_what_others_tell_is_of_the_start(given: Given) -> None:
    given.starts.tell(given.name, Told(at_s=AT_S + 150, replica="r0", took_s={Phase.SCHEDULE: 9, Phase.IMAGE: 80.5}))
    given.keep(AT_S + 315, came(), came("r1"))
    for _ in range(2):
        given.starts.tell(given.name, Told(at_s=AT_S + 320, replica="r0", took_s={Phase.WEIGHTS: 100}))
    found = given.found().phases

    assert (only(9), only(80.5), only(100)) == (found[Phase.SCHEDULE], found[Phase.IMAGE], found[Phase.WEIGHTS])
    assert only(70) == found[Phase.INIT], "without the weights"
    assert 2 == found[Phase.READY].n


def test_it_is_stable_after_fifty_requests_within_the_objectives(given: Given) -> None:
    # Objectives of the rig: 2 s to the first token, 50 ms for each later one.
    given.serve(AT_S + 300, "r0", 2_000_001, 60)
    given.serve(AT_S + 300, "r0", 2_000_000, 20, tpot_us=50_001)
    given.serve(AT_S + 300, "r0", None, 20)
    given.serve(AT_S + 300, "r1", 1, STABLE_N)
    given.serve(AT_S + 299 - 50, "r0", 1, 50)
    given.serve(AT_S + 400, "r0", 2_000_000, STABLE_N - 1, tpot_us=50_000)
    given.keep(AT_S + 600, came())
    assert Phase.STABLE not in given.found().phases
    given.serve(AT_S + 700, "r0", 1, 1, tpot_us=None)
    assert not given.keep(AT_S + 600 + STABLE_EVERY_S - 15, came()), "it is asked once a minute"
    assert given.keep(AT_S + 900, came())
    assert not given.keep(AT_S + 975, came())

    assert only(400) == given.found().phases[Phase.STABLE]


def test_no_more_is_asked_at_one_time_than_is_allowed(given: Given) -> None:
    many = [came(f"r{number}") for number in range(STABLE_ASKED_MAX + 1)]
    for one in many:
        given.serve(AT_S + 301, one.replica, 1, STABLE_N)
    known = [given.keep(at_s, *many) and given.found().phases[Phase.STABLE].n for at_s in (AT_S + 400, AT_S + 460)]

    assert [STABLE_ASKED_MAX, STABLE_ASKED_MAX] == known, "the figure is of the last 20"
    assert not given.keep(AT_S + 520, *many)


def test_those_that_nobody_knows_apart_are_starts_all_the_same(given: Given) -> None:
    given.keep(AT_S + 315, came(""), came(""))

    assert 2 == given.found().lead.n


def test_those_that_do_not_become_ready_are_counted_once_each(given: Given) -> None:
    given.keep(AT_S + 315, came())
    asked_s = (AT_S + 320.0, AT_S + 320.0)
    given.known = {given.name: given.found()}
    for late_s in (900, 901, 916):
        given.keep(AT_S + 320 + late_s, came(), asked_at_s=asked_s, took_s=(1_000.0,))

    assert 2 == given.found().failed, "three times 300 s"


def test_what_is_older_than_thirty_days_is_not_compared(given: Given) -> None:
    given.keep(AT_S + 315, came())

    assert given.name in given.starts.known(AT_S + 300 + KEPT_S)
    assert given.name not in given.starts.known(AT_S + 301 + KEPT_S)


def test_what_takes_longer_than_a_column_holds_counts_as_that(given: Given) -> None:
    given.keep(AT_S + 6_000, came(ready_s=5_000))

    assert only(PHASE_S_MAX) == given.found(AT_S + 9_000).lead


def test_no_more_words_are_taken_within_an_hour_than_are_allowed(reader: Store) -> None:
    class Sink(Store):
        """Where everything is well."""

        def insert_rows(self, *_: object) -> None:  # type: ignore[override]  # whatever it is
            pass

    starts = HintStarts(reader, Sink("http://127.0.0.1:1"), [target("many"), target("few")])
    one = Told(at_s=AT_S, replica="r", took_s={Phase.INIT: 1})
    for _ in range(TOLD_MAX):
        starts.tell("many", one)
    with pytest.raises(DeskFullError, match="600 words on starts of many"):
        starts.tell("many", replace(one, at_s=AT_S + TOLD_S - 1))
    starts.tell("few", one)
    starts.tell("many", replace(one, at_s=AT_S + TOLD_S))
