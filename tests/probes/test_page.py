import math
import random
import re

import pytest
from engine_pages import PAGES, page
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from probes.aliases import Engine, histogram_keys, key
from probes.errors import PageError
from probes.page import (
    LABEL_BYTES_MAX,
    LINE_BYTES_MAX,
    OBSERVATIONS_MAX,
    Page,
    Reader,
    Reject,
    read,
)

RUNNING = "vllm_num_requests_running"
TTFT = "vllm:time_to_first_token_seconds"
BUCKETS = (
    f'{TTFT}_bucket{{le="0.1"}} 1',
    f'{TTFT}_bucket{{le="0.5"}} 3',
    f'{TTFT}_bucket{{le="+Inf"}} 4',
    f"{TTFT}_count 4",
    f"{TTFT}_sum 2.5",
)


def vllm(*lines: str) -> Page:
    return read(("\n".join(lines) + "\n").encode(), Engine.VLLM)


def values(read_page: Page, name: str = RUNNING) -> list[float]:
    return [point.value for point in read_page.points.get(name, ())]


@pytest.mark.parametrize("name", PAGES)
def test_the_filter_loses_nothing_that_the_official_parser_finds_on_the_whole_page(name: str) -> None:
    engine, body = PAGES[name], page(name)
    mine = read(body, engine)
    theirs: dict[str, float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            at = key(sample.name)
            if at in mine.points and not math.isnan(sample.value):
                theirs[at] = theirs.get(at, 0.0) + sample.value

    assert theirs == {at: pytest.approx(sum(p.value for p in points)) for at, points in mine.points.items()}
    assert mine.buckets.keys() == {at for at in histogram_keys(engine) if at in mine.names}


LINES = {
    "plain": ("vllm:num_requests_running 3", [3.0]),
    "with labels": ('vllm:num_requests_running{engine="0"} 3', [3.0]),
    "with a time stamp": ("vllm:num_requests_running 3 1700000000000", [3.0]),
    "exponent": ("vllm:num_requests_running 3e2", [300.0]),
    "carriage return": ("vllm:num_requests_running 3\r", [3.0]),
    "a brace and a comma in a label": ('vllm:num_requests_running{a="},{",b="x"} 3', [3.0]),
    "escapes in a label": (r'vllm:num_requests_running{a="\\\"\n"} 3', [3.0]),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_a_line_that_the_format_allows(line: str, expected: list[float]) -> None:
    found = vllm(line)

    assert (expected, {}) == (values(found), dict(found.rejects))


BAD = {
    "no number": ("vllm:num_requests_running NaN", Reject.NAN),
    "infinite": ("vllm:num_requests_running +Inf", Reject.INFINITE),
    "infinite downwards": ("vllm:num_requests_running -Inf", Reject.INFINITE),
    "too large for a float": ("vllm:num_requests_running 1e999", Reject.INFINITE),
    "too many digits for an int": ("vllm:num_requests_running " + "9" * 5000, Reject.INFINITE),
    "minus zero as an integer": ("vllm:num_requests_running -0", Reject.NEGATIVE_ZERO),
    "minus zero as a float": ("vllm:num_requests_running -0.0", Reject.NEGATIVE_ZERO),
    "negative": ("vllm:num_requests_running -3", Reject.NEGATIVE),
    "no value": ("vllm:num_requests_running ", Reject.MALFORMED),
    "two values and a stamp": ("vllm:num_requests_running 1 2 3", Reject.MALFORMED),
    "digits of another script": ("vllm:num_requests_running \u0661", Reject.MALFORMED),
    "underscore in a number": ("vllm:num_requests_running 1_0", Reject.MALFORMED),
    "hexadecimal": ("vllm:num_requests_running 0x10", Reject.MALFORMED),
    "an open brace": ('vllm:num_requests_running{engine="0" 3', Reject.MALFORMED),
    "an open quote": ('vllm:num_requests_running{engine="0} 3', Reject.MALFORMED),
    "one label twice": ('vllm:num_requests_running{a="0",a="1"} 3', Reject.MALFORMED),
    "another name inside": ('vllm:num_requests_running{__name__="x"} 3', Reject.MALFORMED),
    "an exemplar": ('vllm:num_requests_running 3 # {trace_id="1"} 0.5', Reject.MALFORMED),
}


@pytest.mark.parametrize(("line", "why"), BAD.values(), ids=BAD)
def test_a_bad_series_is_counted_and_the_rest_is_kept(line: str, why: Reject) -> None:
    found = vllm("vllm:num_preemptions_total 7", line, "vllm:prompt_tokens_total 9")

    assert ([], [7.0], [9.0]) == (
        values(found),
        values(found, "vllm_num_preemptions"),
        values(found, "vllm_prompt_tokens"),
    )
    assert {why: 1} == found.rejects


def test_bytes_that_are_no_text_spoil_their_line_only() -> None:
    found = read(b'vllm:num_requests_running{a="\xff"} 3\nvllm:prompt_tokens_total 9\n', Engine.VLLM)

    assert ([9.0], {Reject.MALFORMED: 1}) == (values(found, "vllm_prompt_tokens"), found.rejects)


def test_a_label_value_at_the_bound_is_read_and_one_past_it_is_not() -> None:
    fits, long = ("\u00e9" * (LABEL_BYTES_MAX // 2) + more for more in ("", "x"))
    found = vllm(f'vllm:num_requests_running{{a="{fits}"}} 1', f'vllm:num_requests_running{{a="{long}"}} 2')

    assert ([1.0], {Reject.LABEL_TOO_LONG: 1}) == (values(found), found.rejects)


def test_a_line_at_the_bound_is_read_and_one_past_it_is_not() -> None:
    start = "vllm:num_requests_running"
    fits, long = (start + " " * (LINE_BYTES_MAX - len(start) - 1 + more) + "1" for more in (0, 1))

    assert ([1.0], {}) == (values(vllm(fits)), vllm(fits).rejects)
    assert ([], {Reject.LINE_TOO_LONG: 1}) == (values(vllm(long)), vllm(long).rejects)


def test_an_empty_page_says_nothing() -> None:
    found = read(b"", Engine.VLLM)

    assert ({}, {}, {}, ()) == (found.points, found.buckets, found.names, found.rejected)


def test_a_series_that_stands_there_twice_is_not_believed() -> None:
    found = vllm('vllm:num_requests_running{a="1"} 1', 'vllm:num_requests_running{a="1",b=""} 2')

    assert ([], {Reject.DUPLICATE: 1}) == (values(found), found.rejects)


def test_a_name_in_two_spellings_is_not_believed() -> None:
    found = vllm("vllm:num_requests_running 1", 'ray_vllm_num_requests_running{a="2"} 2')

    assert ([], {Reject.TWO_SPELLINGS: 2}) == (values(found), found.rejects)


def test_a_histogram_is_read_whole() -> None:
    [found] = vllm(*BUCKETS).buckets["vllm_time_to_first_token_seconds"]

    assert ((0.1, 0.5, math.inf), (1, 3, 4), 2.5) == (found.le, found.cumulative, found.sum)


def changed(old: str, new: str) -> list[str]:
    return [line.replace(old, new) for line in BUCKETS]


HISTOGRAMS = {
    "no bucket without a bound": ([*BUCKETS[:2], *BUCKETS[3:]], Reject.NO_INF_BUCKET),
    "bounds out of order": ([BUCKETS[1], BUCKETS[0], *BUCKETS[2:]], Reject.UNORDERED),
    "one bound, written twice": (changed("0.5", "0.10"), Reject.UNORDERED),
    "a bucket twice": ([BUCKETS[0], *BUCKETS], Reject.DUPLICATE),
    "a sum twice": ([*BUCKETS, BUCKETS[4]], Reject.DUPLICATE),
    "a bucket with less in it than the one before": (changed('"0.5"} 3', '"0.5"} 0'), Reject.FALLING),
    "half an observation": (changed('"0.5"} 3', '"0.5"} 2.5'), Reject.FALLING),
    "more observations than there can be": (changed("4", str(OBSERVATIONS_MAX + 1)), Reject.OUT_OF_RANGE),
    "no sum": (list(BUCKETS[:4]), Reject.INCOMPLETE),
    "no count": ([*BUCKETS[:3], BUCKETS[4]], Reject.INCOMPLETE),
    "another count": (changed("_count 4", "_count 5"), Reject.INCOMPLETE),
    "a sum that is no number": (changed("_sum 2.5", "_sum NaN"), Reject.NAN),
    "a bucket without a bound's label": (changed('{le="0.1"}', "{}"), Reject.MALFORMED),
    "a bound that is no number": (changed('"0.1"', '"x"'), Reject.MALFORMED),
    "a negative bound": (changed('"0.1"', '"-1"'), Reject.MALFORMED),
}


@pytest.mark.parametrize(("lines", "why"), HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_a_histogram_that_is_not_believed(lines: list[str], why: Reject) -> None:
    found = vllm(*lines, "vllm:num_requests_running 1")

    assert ({}, {why: 1}, [1.0]) == (dict(found.buckets), dict(found.rejects), values(found))


def test_a_histogram_with_as_many_observations_as_there_can_be_is_believed() -> None:
    [found] = vllm(*changed("4", str(OBSERVATIONS_MAX))).buckets["vllm_time_to_first_token_seconds"]

    assert OBSERVATIONS_MAX == found.cumulative[-1]


def test_a_histogram_in_spite_of_its_suffix() -> None:
    found = vllm(*changed("time_to_first_token_seconds", "iteration_tokens_total"))

    assert (["vllm_iteration_tokens_total"], {}) == (list(found.buckets), dict(found.rejects))


def test_a_bad_line_does_not_spoil_the_lines_that_are_parsed_with_it() -> None:
    good, bad = 'vllm:num_requests_running{a="%d"} 3', 'vllm:num_requests_running{a="0",a="1"} 3'
    found = vllm(good % 1, bad, good % 2)

    assert ([3.0, 3.0], {Reject.MALFORMED: 1}) == (values(found), found.rejects)


@pytest.mark.parametrize("name", PAGES)
def test_who_reads_again_reads_the_same(name: str) -> None:
    reader = Reader(PAGES[name])
    first = reader.read(page(name))
    grown = re.sub(rb"(?m) 7\.0$", b" 8.0", page(name))

    assert first == reader.read(page(name)) == read(page(name), PAGES[name])
    assert reader.read(grown) == read(grown, PAGES[name])
    assert (read(b"", PAGES[name]), first) == (reader.read(b""), reader.read(page(name)))


def test_what_could_not_be_read_is_not_read_the_second_time_either() -> None:
    reader = Reader(Engine.VLLM)
    text = b'vllm:num_requests_running{a="0",a="1"} 3\nvllm:num_requests_waiting NaN\n'

    assert [{Reject.MALFORMED: 1, Reject.NAN: 1}] * 2 == [reader.read(text).rejects for _ in range(2)]


SMALL = sorted(set(PAGES) - {"vllm_ray", "vllm_kserve", "vllm_old"})
WHOLE = {name: read(page(name), engine) for name, engine in PAGES.items()}


def subset(found: Page, whole: Page) -> bool:
    """Whether everything that is believed is as on the whole page; a bucket may be missing, for it says less then."""
    points = {(at, point) for at, points in whole.points.items() for point in points}
    buckets = {(at, one.labels): one for at, buckets in whole.buckets.items() for one in buckets}
    return {(at, point) for at, points in found.points.items() for point in points} <= points and all(
        dict(zip(one.le, one.cumulative, strict=True)).items()
        <= dict(zip(buckets[at, one.labels].le, buckets[at, one.labels].cumulative, strict=True)).items()
        and one.sum == buckets[at, one.labels].sum
        for at, told in found.buckets.items()
        for one in told
    )


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(SMALL), seed=st.integers(0, 2**32), data=st.data())
def test_a_reordered_page_gives_no_other_value(name: str, seed: int, data: st.DataObject) -> None:
    lines = page(name).splitlines(keepends=True)
    dropped = data.draw(st.integers(0, len(lines)))
    random.Random(seed).shuffle(lines)  # noqa: S311 -- an order, not a secret

    assert subset(read(b"".join(lines[dropped:]), PAGES[name]), WHOLE[name])


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(PAGES)), data=st.data())
def test_a_page_that_was_cut_off_anywhere_gives_no_other_value(name: str, data: st.DataObject) -> None:
    body = page(name)
    cut = body[: data.draw(st.integers(0, len(body)))]
    if cut and not cut.endswith(b"\n"):
        with pytest.raises(PageError, match="cut_off"):
            read(cut, PAGES[name])
    else:
        assert subset(read(cut, PAGES[name]), WHOLE[name])


HOSTILE = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([b"{", b"}", b'"', b"\\", b"\n", b"NaN", b" ", b"-0", b"# TYPE vllm:prompt_tokens_total gauge\n"]),
    st.sampled_from([line.encode() + b"\n" for line in BUCKETS]),
    st.sampled_from([b"vllm:prompt_tokens_total", b"ray_vllm_prompt_tokens_total", b'{a="' + b"\\" * 30 + b'"} 1\n']),
)


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(HOSTILE, max_size=25), engine=st.sampled_from(Engine))
def test_a_hostile_page_gives_our_error_or_values_that_can_be(pieces: list[bytes], engine: Engine) -> None:
    try:
        found = read(b"".join(pieces), engine)
    except PageError:
        return
    for points in found.points.values():
        assert all(math.isfinite(point.value) and math.copysign(1, point.value) > 0 for point in points)
    for buckets in found.buckets.values():
        assert all(one.le[-1] == math.inf and one.cumulative == tuple(sorted(one.cumulative)) for one in buckets)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 10_000), junk=st.binary(max_size=40).filter(lambda b: b"\n" not in b))
def test_junk_inside_a_line_spoils_that_line_only(at: int, junk: bytes) -> None:
    lines = page("trt-llm").splitlines(keepends=True)
    at %= len(lines)
    middle = len(lines[at]) // 2
    spoiled = [*lines[:at], lines[at][:middle] + junk + lines[at][middle:], *lines[at + 1 :]]
    name = re.split(rb"[ {]", lines[at])[0].decode()
    family = key(re.sub(r"_(bucket|sum|count)$", "", name))

    found = read(b"".join(spoiled), Engine.TRTLLM)

    others = [name for name in WHOLE["trt-llm"].points if name != family]
    assert {n: WHOLE["trt-llm"].points[n] for n in others} == {n: found.points[n] for n in others}
