import pytest

from loadtest.exchange import Ask, Exchange
from telemetry.dialects import RequestShape
from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy


def test_an_exchange_lasts_from_its_issue_to_its_decision() -> None:
    meter = StreamMeter(RequestShape())
    meter.begin(1_000_000_000)
    meter.abort(AbortBy.CLIENT, 3_500_000_000)

    assert 2.5 == Exchange(issue_ns=1_000_000_000, result=meter.result()).elapsed_s
    assert Ask(path="/", body=b"", shape=RequestShape()).abort_after is None


def test_an_exchange_that_is_not_over_has_no_measurement() -> None:
    with pytest.raises(AssertionError):
        _ = Exchange(issue_ns=0).measured
