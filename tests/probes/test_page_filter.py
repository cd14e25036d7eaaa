import pytest

from probes.aliases import Engine
from probes.errors import PageError, PageFault
from probes.page_filter import PAGE_BYTES_MAX, SAMPLES_MAX, WANTED_BYTES_MAX, wanted


def test_only_wanted_lines_are_taken() -> None:
    body = (
        b"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\nother 2\nvllm:num_requests_running_x 3\n"
    )

    assert [b"vllm:num_requests_running 1"] == wanted(body, Engine.VLLM)


def test_when_a_metric_was_created_is_never_taken() -> None:
    assert [] == wanted(b"vllm:prompt_tokens_created 1.7e9\nvllm:prompt_tokens_total_created 1\n", Engine.VLLM)


def test_a_page_at_each_bound_is_read_and_one_past_it_is_not() -> None:
    line = b'vllm:num_requests_waiting_by_reason{r="%d"} 1\n'
    most = b"".join(line % at for at in range(SAMPLES_MAX))

    assert SAMPLES_MAX == len(wanted(most, Engine.VLLM))
    assert [] == wanted(b"x" * (PAGE_BYTES_MAX - 1) + b"\n", Engine.VLLM)
    for body, kind in (
        (most + line % SAMPLES_MAX, PageFault.TOO_MANY_SAMPLES),
        (b"x" * PAGE_BYTES_MAX + b"\n", PageFault.TOO_LARGE),
        (b"vllm:num_requests_running 12\nvllm:num_requests_waiting 1", PageFault.CUT_OFF),
    ):
        with pytest.raises(PageError) as caught:
            wanted(body, Engine.VLLM)
        assert kind is caught.value.kind


def test_wanted_lines_at_the_bound_are_read_and_a_byte_more_is_not() -> None:
    start = b'vllm:prompt_tokens_total{a="'
    line = start + b"x" * (1024 - len(start) - 4) + b'"} 1'
    most = (line + b"\n") * (WANTED_BYTES_MAX // len(line))

    assert WANTED_BYTES_MAX == sum(map(len, wanted(most, Engine.VLLM)))
    with pytest.raises(PageError, match="too_large"):
        wanted(most + b"vllm:prompt_tokens_total 1\n", Engine.VLLM)


def test_a_line_is_found_wherever_it_stands_on_a_long_page() -> None:
    lines = [b"#" * at + b'\nvllm:num_requests_running{a="%d"} %d\n' % (at, at) for at in range(3000)]

    assert list(range(3000)) == [int(line.rsplit(b" ")[-1]) for line in wanted(b"".join(lines), Engine.VLLM)]


@pytest.mark.parametrize("prefix", ["", "ray_", "kserve_"])
def test_a_name_is_wanted_in_each_of_its_spellings(prefix: str) -> None:
    lines = [f"{prefix}vllm{colon}prompt_tokens{total} 1".encode() for colon in ":_" for total in ("", "_total")]

    assert lines == wanted(b"\n".join(lines) + b"\n", Engine.VLLM)


def test_what_is_wanted_of_one_engine_is_not_wanted_of_another() -> None:
    assert [] == wanted(b"sglang:num_running_reqs 1\n", Engine.VLLM)
    assert [b"sglang:num_running_reqs 1"] == wanted(b"sglang:num_running_reqs 1\n", Engine.SGLANG)
