"""Every expression of the grammar, and requests of every kind, for tests of the two ways to judge."""

from random import Random

from hypothesis import strategies as st

from slo.expression import parse
from slo.objective import Indicator
from slo.terms import Condition
from telemetry.ids import RANDOM_BITS, uuid7
from telemetry.outcome import Origin, Outcome, Phase
from telemetry.outcome_rules import NATURE
from telemetry.queries.bounds import Figure, Flag, Word
from telemetry.queries.counted import Left
from telemetry.record import RequestRecord

HOSTILE = ("'; DROP TABLE requests; --", "{x:String}", "\\", 'say "it\'s"', "$0", "\x00\n\t", "' OR 1=1")
_TEXTS = {
    Word.OUTCOME: tuple(Outcome),
    Word.PHASE: tuple(Phase),
    Word.ORIGIN: tuple(Origin),
    Word.FINISH_REASON: ("stop", "length", ""),
}
_CLASSES = tuple(NATURE.items())


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _texts(word: Word) -> st.SearchStrategy[str]:
    return st.sampled_from([quoted(str(one)) for one in _TEXTS.get(word, (*HOSTILE, "chat", "eu", ""))])


def _listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=3).map(lambda of: f"({', '.join(of)})")


_numbers = st.sampled_from(["0", "0.05", "1.0", "2", "-1", "100", "500", "1e-3", "16", "200"])
_factors = st.sampled_from(["0.5", "-2", "0.0002", "3"])
_terms = st.recursive(
    st.one_of(st.sampled_from([one.value for one in Figure]), _numbers),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-"), inner).map(lambda of: f"({of[0]} {of[1]} {of[2]})"),
        st.tuples(_factors, st.sampled_from([one.value for one in Figure])).map(lambda of: f"{of[0]} * {of[1]}"),
        inner.map(lambda of: f"-({of})"),
        st.tuples(st.sampled_from(["min", "max", "coalesce"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda of: f"{of[0]}({', '.join(of[1])})"
        ),
    ),
    max_leaves=4,
)
_comparisons = st.one_of(
    st.tuples(_terms, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), _terms).map(" ".join),
    st.tuples(_terms, _listed(_numbers)).map(lambda of: f"{of[0]} in {of[1]}"),
    st.sampled_from(list(Word)).flatmap(
        lambda word: st.one_of(
            st.tuples(st.sampled_from(["==", "!="]), _texts(word)).map(lambda of: f"{word.value} {of[0]} {of[1]}"),
            _listed(_texts(word)).map(lambda of: f"{word.value} in {of}"),
        )
    ),
    st.sampled_from([*(flag.value for flag in Flag), "ok", "complete", "true", "false"]),
)
TEXTS = st.recursive(
    _comparisons,
    lambda inner: st.one_of(
        inner.map(lambda of: f"not ({of})"),
        st.tuples(st.lists(inner, min_size=2, max_size=3), st.sampled_from([" and ", " or "])).map(
            lambda of: of[1].join(f"({one})" for one in of[0])
        ),
    ),
    max_leaves=5,
)
CONDITIONS: st.SearchStrategy[Condition] = TEXTS.map(parse)
"""Conditions as their text says them."""
INDICATORS = st.builds(
    Indicator,
    good=st.one_of(st.none(), CONDITIONS),
    only=st.one_of(st.none(), CONDITIONS),
    eligible=st.one_of(st.none(), st.none(), CONDITIONS),
    left=st.sampled_from(Left),
    also_bad=st.sampled_from([(), (), (Outcome.CONTEXT_LENGTH, Outcome.CLIENT_CANCELLED)]),
    also_excluded=st.sampled_from([(), (), (Outcome.OVERLOADED, Outcome.RATE_LIMITED)]),
)
"""Indicators with every key."""


def request(random: Random, ended_at: int) -> RequestRecord:
    """Return a request of any class, in any phase, of which any figure may be unknown."""

    def maybe(*values: int) -> int | None:
        return random.choice((None, *values))

    outcome, nature = random.choice((*_CLASSES, *[(Outcome.OK, NATURE[Outcome.OK])] * 8, _LEFT, _LEFT, _LEFT))
    return RequestRecord(
        ended_at=ended_at,
        elapsed_us=random.choice((0, 500_000, 1_500_000, 12_000_000)),
        endpoint=random.choice(("chat", *HOSTILE)),
        model=random.choice(("chat", "small", "")),
        region=random.choice(("eu", "us")),
        replica=random.choice(("10.0.0.1:8000", "10.0.0.2:8000")),
        record_id=uuid7(ended_at, random.getrandbits(RANDOM_BITS)),
        outcome=outcome,
        eligible=nature.eligible,
        origin=nature.origin,
        phase=Phase.DONE if outcome is Outcome.OK else random.choice(tuple(Phase)),
        finish_reason=random.choice(("stop", "length", "")),
        http_status=random.choice((0, 200, 500)),
        stream=random.randrange(2),
        in_stream=random.randrange(2),
        e2e_us=maybe(500_000, 2_000_000),
        ttft_us=maybe(50_000, 1_000_000, 1_000_001),
        ttfo_us=maybe(50_000, 1_000_000),
        tpot_us=maybe(20_000, 50_000, 60_000),
        icl_p99_us=maybe(50_000, 100_000),
        icl_max_us=maybe(0, 50_000, 2_000_000, 3_000_000),
        open_gap_us=maybe(0, 1_000_000, 5_000_000),
        stall_us=maybe(0, 100_000_000),
        srv_queue_us=maybe(0, 100_000),
        srv_prefill_us=maybe(50_000),
        tokens_in=maybe(0, 500, 8_000),
        tokens_out=maybe(1, 15, 16, 200),
        tokens_cache_read=maybe(0, 100),
        bytes_in=random.choice((0, 400, 30_000)),
    )


_LEFT = (Outcome.CLIENT_CANCELLED, NATURE[Outcome.CLIENT_CANCELLED])
