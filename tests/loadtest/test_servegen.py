"""ServeGen's clients: each arrives by its own law at its own rate; the slice is of the real file, seeds are fixed."""

from pathlib import Path

import pytest

from loadtest import servegen
from loadtest.dispersion import gaps_between, variation
from loadtest.errors import TraceError
from loadtest.plan_spec import TOKENS_MAX, Process
from loadtest.servegen import WINDOW_S, Window, arrived, clients, lengths

FIXTURE = Path(__file__).parent.parent / "fixtures" / "traces" / "servegen.csv"


def test_the_windows_of_each_client() -> None:
    with FIXTURE.open() as lines:
        found = clients(lines)

    assert ["0", "11", "39"] == list(found)
    assert [259_200, 259_800, 260_400] == [span.start_s for span in found["39"]]
    assert Window(start_s=259_200, rate=0, process=Process.POISSON, shape=None) == found["0"][0]
    assert Window(start_s=259_200, rate=2.635, process=Process.WEIBULL, shape=0.2755632668402041) == found["39"][0]


def test_published_files_have_no_client() -> None:
    assert {"": [Window(start_s=0, rate=2, process=Process.GAMMA, shape=0.5)]} == clients(["0,2,1,Gamma,0.5,1"])


def test_the_slice_arrives_at_about_its_rates() -> None:
    with FIXTURE.open() as lines:
        windows = clients(lines)
    found = arrived(windows, seed=1, span_s=(259_200, 261_000)).rows
    expected = sum(span.rate * WINDOW_S for spans in windows.values() for span in spans)

    assert [row.t_ns for row in found] == sorted(row.t_ns for row in found)
    assert 259_200e9 <= found[0].t_ns <= found[-1].t_ns < 261_000e9
    assert 0.7 < len(found) / expected < 1.3
    assert (None, None) == (found[0].len_in, found[0].len_out)


def client(rate: float, process: Process, shape: float | None, n: int = 1) -> list[Window]:
    return [Window(start_s=k * WINDOW_S, rate=rate, process=process, shape=shape) for k in range(n)]


def test_gaps_go_on_across_windows() -> None:
    # A constant law at 1 arrival in 400 s: 400, 800, .. although each window is 600 s long.
    found = arrived({"": client(1 / 400, Process.CONSTANT, None, n=4)}, seed=1, span_s=(0, 2400))

    assert [400e9, 800e9, 1200e9, 1600e9, 2000e9] == [row.t_ns for row in found.rows]


def test_the_law_of_the_gaps_is_the_clients() -> None:
    rows = arrived({"": client(20, Process.GAMMA, 0.25)}, seed=3, span_s=(0, 600)).rows

    assert pytest.approx(2.0, abs=0.15) == variation(gaps_between([row.t_ns for row in rows]))


def test_clients_are_independent_of_each_other() -> None:
    one = {"a": client(1, Process.POISSON, None)}
    both = {"a": client(1, Process.POISSON, None), "b": client(1, Process.POISSON, None)}
    alone, together = (arrived(windows, seed=5, span_s=(0, 600)).rows for windows in (one, both))

    assert set(alone) < set(together)
    assert arrived(both, seed=5, span_s=(0, 600)).rows == together


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        pytest.param([], "no window", id="nothing"),
        pytest.param(["1,2,3"], "line 1.*cells", id="too few cells"),
        pytest.param(["x,2,1,Gamma,0.5,1"], "line 1.*allowed", id="no time"),
        pytest.param(["0,inf,1,Gamma,0.5,1"], "line 1.*allowed", id="an infinite rate"),
        pytest.param(["0,-2,1,Gamma,0.5,1"], "line 1.*allowed", id="a negative rate"),
        pytest.param(["0,2,1,Pareto,0.5,1"], "line 1.*allowed", id="an unknown law"),
        pytest.param(["0,2,1,Weibull,0,1"], "line 1.*allowed", id="no shape"),
        pytest.param(["0,2,1,Weibull,0.005,1"], "line 1.*allowed", id="a mean beyond a float"),
    ],
)
def test_what_is_refused(lines: list[str], word: str) -> None:
    with pytest.raises(TraceError, match=word):
        clients(lines)


def test_no_arrival_at_all_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TraceError, match="found 0 arrivals"):
        arrived({"": client(1, Process.POISSON, None)}, seed=1, span_s=(700, 800))

    windows = {"": client(1, Process.CONSTANT, None)}
    monkeypatch.setattr(servegen, "ROWS_MAX", 9)
    assert 9 == len(arrived(windows, seed=1, span_s=(0, 10)).rows)
    with pytest.raises(TraceError, match="found 10 arrivals"):
        arrived(windows, seed=1, span_s=(0, 600))


DATASET = b"""{
    "600": {"input_tokens": "{7: 1e-3, 8: 0.999,}", "output_tokens": "{}", "reason_ratio": [0.5]},
    "1800": {},
    "0": {"input_tokens": "{ 100 : 0.5 , 200 : 0.5, 0: 9.0, 5: 0 }", "output_tokens": "{50: 1.0}"}
}"""


def test_lengths_are_python_dicts_as_text() -> None:
    (first_s, first_in, first_out), (second_s, second_in, second_out), third = lengths(DATASET)
    assert first_in is not None
    assert first_out is not None
    assert second_in is not None

    assert (0, 600) == (first_s, second_s)
    assert [100, 200, 50] == [first_in(0.49), first_in(0.5), first_out(0.9)]
    assert [7, 8] == [second_in(0.0009), second_in(0.0011)]
    assert second_out is None
    assert (1800, None, None) == third


def test_arrivals_have_the_lengths_of_their_window() -> None:
    windows = {"a": client(1, Process.POISSON, None, n=2), "b": client(1, Process.POISSON, None)}
    rows = arrived(windows, seed=1, span_s=(0, 1200), laws={"a": lengths(DATASET)}).rows
    early = {(row.len_in, row.len_out) for row in rows if row.t_ns < 600e9}
    late = {(row.len_in, row.len_out) for row in rows if row.t_ns >= 600e9}

    assert {(100, 50), (200, 50), (None, None)} == early
    assert late <= {(7, None), (8, None)}
    assert [row.t_ns for row in rows] == [row.t_ns for row in arrived(windows, seed=1, span_s=(0, 1200)).rows]


def test_before_the_first_window_of_lengths_nothing_is_known() -> None:
    later = [(start_s + 600, tokens_in, tokens_out) for start_s, tokens_in, tokens_out in lengths(DATASET)]
    rows = arrived({"a": client(1, Process.POISSON, None)}, seed=1, span_s=(0, 600), laws={"a": later}).rows

    assert {(None, None)} == {(row.len_in, row.len_out) for row in rows}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"{", id="half an object"),
        pytest.param(b"[" * 100_000, id="deep brackets"),
        pytest.param(b'{"now": {}}', id="no start"),
        pytest.param(b'{"0": {"input_tokens": {"5": 1}}}', id="an object, not a text"),
        pytest.param(b'{"0": {"input_tokens": "5: 1"}}', id="no dict"),
        pytest.param(b'{"0": {"input_tokens": "{5: x}"}}', id="no weight"),
        pytest.param(b'{"0": {"input_tokens": "{5: -1, 6: 9}"}}', id="a negative weight"),
        pytest.param(b'{"0": {"input_tokens": "{-5: 1}"}}', id="negative tokens"),
        pytest.param(b'{"0": {"input_tokens": "{5: nan}"}}', id="a weight that is no number"),
        pytest.param(b'{"0": {"input_tokens": "{10000001: 1}"}}', id="too many tokens"),
    ],
)
def test_what_are_no_lengths(data: bytes) -> None:
    assert 10_000_000 == TOKENS_MAX
    with pytest.raises(TraceError):
        lengths(data)
