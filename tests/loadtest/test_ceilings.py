import msgspec
import pytest
from load_rows import row

from loadtest.ceilings import Ceilings, tokens_out
from telemetry.outcome import Outcome

PRICED = Ceilings(tokens_max=1000, cost_usd_max=0.01, usd_per_mtok_in=3.0, usd_per_mtok_out=15.0)


@pytest.mark.parametrize(
    ("ceilings", "tokens", "words"),
    [
        pytest.param(PRICED, (500, 500), "", id="at both"),
        pytest.param(PRICED, (501, 500), "1001 tokens, above load.tokens_max of 1000", id="a token more"),
        pytest.param(PRICED, (0, 667), "0.010005 USD, above load.cost_usd_max of 0.01", id="dearer"),
        pytest.param(Ceilings(cost_usd_max=0.01), (10**9, 10**9), "", id="of unknown price"),
        pytest.param(Ceilings(usd_per_mtok_in=3.0, cost_usd_max=0.01), (10**9, 0), "", id="of half a price"),
        pytest.param(Ceilings(), (10**12, 10**12), "", id="without a bound"),
    ],
)
def test_a_ceiling_is_passed_beyond_it(ceilings: Ceilings, tokens: tuple[int, int], words: str) -> None:
    assert words == ceilings.passed(*tokens)


def test_a_cost_of_unknown_price_is_unknown() -> None:
    assert (0.018, None) == (PRICED.cost_usd(1000, 1000), Ceilings(usd_per_mtok_out=1.0).cost_usd(1, 1))


@pytest.mark.parametrize(
    ("outcome", "told", "events", "expected"),
    [
        pytest.param(Outcome.OK, 6, 9, 6, id="as told"),
        pytest.param(Outcome.OK, 0, 9, 0, id="as told, none"),
        pytest.param(Outcome.OK, None, 9, 9, id="no fewer than events came"),
        pytest.param(Outcome.OK, None, 2, 8, id="no fewer than were asked for"),
        pytest.param(Outcome.CLIENT_CANCELLED, None, 2, 2, id="a part of an answer"),
    ],
)
def test_an_answer_that_does_not_tell_its_tokens_counts(
    outcome: Outcome, told: int | None, events: int, expected: int
) -> None:
    record = msgspec.structs.replace(row(0, outcome=outcome).record, tokens_out=told, n_out_events=events)

    assert expected == tokens_out(record, 8)
