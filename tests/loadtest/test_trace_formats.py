"""Published traces and our own: every trap of spec/loadtest.md 10, on slices of the real files."""

from pathlib import Path

import pytest

from loadtest import trace_formats
from loadtest.errors import TraceError
from loadtest.plan_spec import SCALE_MAX, TOKENS_MAX, TraceFormat
from loadtest.reuse import block_reuse_ratio
from loadtest.trace_formats import (
    BLOCK_ID_MAX,
    LEFT_US_MAX,
    ROWS_MAX,
    T_NS_MAX,
    Trace,
    TraceRow,
    of_store,
    read,
    store_line,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "traces"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
BURSTGPT = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def fixture(name: str, kind: TraceFormat) -> Trace:
    with (FIXTURES / name).open(newline="") as lines:
        return read(kind, lines)


def test_azure_has_seven_digits_crlf_and_no_last_line_end() -> None:
    rows = fixture("azure.csv", TraceFormat.AZURE).rows

    assert 19 == len(rows)
    assert TraceRow(t_ns=0, len_in=4808, len_out=10) == rows[0]
    assert TraceRow(t_ns=52_000_000, len_in=3180, len_out=8) == rows[1]
    assert (98_189_000, 158, 26) == (rows[2].t_ns, rows[-1].len_in, rows[-1].len_out)


def test_azure_of_2024_has_a_time_zone() -> None:
    lines = [AZURE, "2024-05-10 00:00:00.009930+00:00,2162,5\n", "2024-05-10 00:00:01+00:00,7,5\n"]

    assert [0, 990_070_000] == [row.t_ns for row in read(TraceFormat.AZURE, lines).rows]


def test_mooncake_has_blocks_of_512_tokens() -> None:
    rows = fixture("mooncake.jsonl", TraceFormat.MOONCAKE).rows

    assert 36 == len(rows)
    assert (0, 28, 445, (298,)) == (rows[0].t_ns, rows[0].len_in, rows[0].len_out, rows[0].blocks)
    assert (2469 - 529) * 1_000_000 == rows[1].t_ns
    assert all(len(row.blocks) == -(-(row.len_in or 0) // 512) for row in rows)
    assert pytest.approx(0.6875) == block_reuse_ratio(rows)


def test_vidur_counts_prompts_and_answers() -> None:
    rows = read(TraceFormat.VIDUR, ["arrived_at,num_prefill_tokens,num_decode_tokens\n", "0.5,374,44\n", "1.25,9,1\n"])

    assert [TraceRow(t_ns=0, len_in=374, len_out=44), TraceRow(t_ns=750_000_000, len_in=9, len_out=1)] == list(
        rows.rows
    )


def test_burstgpt_rows_without_an_answer_are_dropped_and_counted() -> None:
    lines = [
        BURSTGPT,
        "5,ChatGPT,472,18,490,Conversation log\n",
        "45.5,GPT-4,9,0,9,API log\n",
        "46,GPT-4,1,2,3,API log\n",
    ]
    found = read(TraceFormat.BURSTGPT, lines)

    assert (TraceRow(t_ns=0, len_in=472, len_out=18), TraceRow(t_ns=41_000_000_000, len_in=1, len_out=2)) == found.rows
    assert {"no tokens": 1} == found.dropped


def test_our_own_format_keeps_what_it_is_for() -> None:
    rows = (
        TraceRow(t_ns=0, len_in=5, len_out=None, workload_class="chat", conversation=2**64 - 1),
        TraceRow(t_ns=7, len_in=5, len_out=6, left_after_us=12_000_000),
    )

    assert rows == read(TraceFormat.STORE, ["\n", *(store_line(row).decode() for row in rows)]).rows


def test_rows_that_are_out_of_order_are_put_in_order() -> None:
    lines = [AZURE, "2023-11-16 18:17:04.5,2,2\r\n", "2023-11-16 18:17:03.5,1,1"]

    assert [(0, 1), (1_000_000_000, 2)] == [(row.t_ns, row.len_in) for row in read(TraceFormat.AZURE, lines).rows]


@pytest.mark.parametrize(
    ("kind", "lines", "word"),
    [
        pytest.param(TraceFormat.AZURE, [], "columns", id="nothing"),
        pytest.param(TraceFormat.AZURE, [AZURE], "no row", id="a header alone"),
        pytest.param(TraceFormat.AZURE, ["a,b,c\n"], "line 1.*columns", id="another header"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-16 18:17:03.97,1\n"], "line 2.*cells", id="a cell too few"),
        pytest.param(TraceFormat.AZURE, [AZURE, "now,1,1\n"], "line 2.*time", id="no time"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-16 18:17:03.9+02:00,1,1"], "line 2.*time", id="a time zone"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-16.18:17:03,1,1"], "line 2.*time", id="a date alone"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-31 18:17:03,1,1"], "line 2.*time", id="no such day"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-16 18:17:03,-1,1\n"], "line 2.*tokens", id="negative"),
        pytest.param(TraceFormat.AZURE, [AZURE, "2023-11-16 18:17:03,\u0663,1\n"], "tokens", id="digits of elsewhere"),
        pytest.param(TraceFormat.AZURE, [AZURE, "x" * 200_000], "line", id="an endless cell"),
        pytest.param(TraceFormat.BURSTGPT, [BURSTGPT, "inf,m,1,1,1,x"], "line 2.*time", id="the end of time"),
        pytest.param(TraceFormat.BURSTGPT, [BURSTGPT, "nan,m,1,1,1,x"], "line 2.*time", id="no number"),
        pytest.param(TraceFormat.BURSTGPT, [BURSTGPT, "1e40,m,1,1,1,x"], "time", id="after the end of time"),
        pytest.param(TraceFormat.MOONCAKE, ["{"], "line 1", id="half an object"),
        pytest.param(TraceFormat.MOONCAKE, ["[" * 100_000], "line 1", id="deep brackets"),
        pytest.param(
            TraceFormat.MOONCAKE,
            ['{"timestamp": 0, "input_length": 513, "output_length": 1, "hash_ids": [1]}'],
            "line 1.*blocks",
            id="a block too few",
        ),
        pytest.param(
            TraceFormat.MOONCAKE,
            ['{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [-1]}'],
            "line 1.*hash_ids",
            id="a negative block",
        ),
        pytest.param(
            TraceFormat.MOONCAKE,
            ['{"timestamp": 1e999, "input_length": 5, "output_length": 1, "hash_ids": [1]}'],
            "line 1",
            id="no time at all",
        ),
        pytest.param(TraceFormat.STORE, ['{"t_ns": 1, "tokens_in": -4}'], "line 1.*tokens", id="negative tokens"),
        pytest.param(
            TraceFormat.STORE, ['{"t_ns": 1, "prompt": "x"}'], "line 1.*prompt", id="a text, which we never keep"
        ),
    ],
)
def test_what_is_no_trace_says_which_line(kind: TraceFormat, lines: list[str], word: str) -> None:
    with pytest.raises(TraceError, match=word):
        read(kind, lines)


def test_tokens_up_to_the_bound() -> None:
    def line(tokens: int) -> str:
        return f"2023-11-16 18:17:03,{tokens},1"

    assert TOKENS_MAX == read(TraceFormat.AZURE, [AZURE, line(TOKENS_MAX)]).rows[0].len_in
    with pytest.raises(TraceError):
        read(TraceFormat.AZURE, [AZURE, line(TOKENS_MAX + 1)])


def test_rows_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [AZURE, *["2023-11-16 18:17:03,1,1\n"] * 3]

    assert ROWS_MAX > 3
    monkeypatch.setattr(trace_formats, "ROWS_MAX", 3)
    assert 3 == len(read(TraceFormat.AZURE, lines).rows)
    monkeypatch.setattr(trace_formats, "ROWS_MAX", 2)
    with pytest.raises(TraceError):
        read(TraceFormat.AZURE, lines)


def test_block_ids_and_patience_up_to_the_bound() -> None:
    def mooncake(block: int) -> str:
        return f'{{"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [{block}]}}'

    def store(left_us: int) -> str:
        return f'{{"t_ns": 0, "tokens_in": 5, "tokens_out": 1, "left_after_us": {left_us}}}'

    assert (BLOCK_ID_MAX,) == read(TraceFormat.MOONCAKE, [mooncake(BLOCK_ID_MAX)]).rows[0].blocks
    assert LEFT_US_MAX == read(TraceFormat.STORE, [store(LEFT_US_MAX)]).rows[0].left_after_us
    assert BLOCK_ID_MAX * SCALE_MAX + SCALE_MAX < 2**64
    for kind, line in ((TraceFormat.MOONCAKE, mooncake(BLOCK_ID_MAX + 1)), (TraceFormat.STORE, store(LEFT_US_MAX + 1))):
        with pytest.raises(TraceError, match="line 1"):
            read(kind, [line])


@pytest.mark.parametrize("sign", [1, -1])
def test_times_up_to_the_bound(sign: int) -> None:
    def line(t_ns: int) -> str:
        return store_line(TraceRow(t_ns=sign * t_ns, len_in=1, len_out=1)).decode()

    assert 1 == len(read(TraceFormat.STORE, [line(T_NS_MAX)]).rows)
    with pytest.raises(TraceError, match="time"):
        read(TraceFormat.STORE, [line(T_NS_MAX + 1)])


def test_what_the_store_answers() -> None:
    answer = {
        "t_unix_us": 1_700_000_000_000_000,
        "workload_class": "",
        "tokens_in": 100,
        "tokens_out": None,
        "left_after_us": 12,
        "conversation": None,
    }
    expected = TraceRow(t_ns=1_700_000_000_000_000_000, len_in=100, len_out=None, left_after_us=12)

    assert [expected] == list(of_store([answer]))
    assert [0] == [row.t_ns for row in read(TraceFormat.STORE, [store_line(expected).decode()]).rows]
    with pytest.raises(TraceError, match="line 1"):
        list(of_store([answer | {"t_unix_us": "now"}]))
