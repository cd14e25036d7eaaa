"""Measures what reading a page of engine metrics costs: with the filter before the parser, and with the parser alone.

    python -m benchmarks.scrape [--quick] [--output table|json]

The page is the recorded one of a real vLLM, shown by as many engine cores as make about 4,200 samples. The hostile
pages have a million series: of names that nobody asked for, and of a name that is wanted.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness import Answer, Figure, main
from probes.aliases import Engine
from probes.errors import PageError
from probes.normalise import Scrape, normalise
from probes.page import Reader, read
from probes.page_filter import wanted
from telemetry.clock import monotonic_ns

PAGE = Path(__file__).parent.parent / "tests" / "fixtures" / "metrics" / "vllm.txt"
CORES = 11
"""Engine cores that make the page 4,200 samples long."""
HOSTILE = 1_000_000
_SCRAPE = Scrape(ts=0, endpoint="chat", replica="r0", engine=Engine.VLLM, models=("tiny-llama",))


def page() -> bytes:
    """Return the recorded page, as shown by several engine cores."""
    lines = PAGE.read_bytes().splitlines(keepends=True)
    cores = [[line.replace(b'engine="0"', b'engine="%d"' % core) for line in lines] for core in range(CORES)]
    return b"".join(dict.fromkeys(line for core in cores for line in core))


def hostile(name: bytes) -> bytes:
    """Return a page with a million series of one name, within the limit of bytes."""
    return b"".join(b'%s{a="%d"} 1\n' % (name, at) for at in range(HOSTILE))


def took_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of some rounds."""
    times: list[int] = []
    for _ in range(rounds):
        began_ns = monotonic_ns()
        work()
        times.append(monotonic_ns() - began_ns)
    return median(times) / 1e6


def refused(body: bytes) -> str:
    """Read a page that is too much, and return why it was refused."""
    try:
        read(body, Engine.VLLM)
    except PageError as error:
        return error.kind.value
    return "read"


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- as the harness calls it
    """Measure."""
    rounds = 5 if quick else 30
    body = page()
    lines = wanted(body, Engine.VLLM)
    samples = sum(not line.startswith(b"#") for line in body.splitlines())
    alone_ms = took_ms(lambda: list(text_string_to_metric_families(body.decode())), rounds)
    filter_ms = took_ms(lambda: wanted(body, Engine.VLLM), rounds)
    filtered = b"\n".join(lines).decode() + "\n"
    parser_ms = took_ms(lambda: list(text_string_to_metric_families(filtered)), rounds)
    first_ms = took_ms(lambda: read(body, Engine.VLLM), rounds)
    reader = Reader(Engine.VLLM)
    reader.read(body)
    again_ms = took_ms(lambda: reader.read(body), rounds)
    rows_ms = took_ms(lambda: normalise(reader.read(body), _SCRAPE), rounds)
    foreign, flood = hostile(b"foreign"), hostile(b"vllm:prompt_tokens_total")[: 32 << 20]
    flood = flood[: flood.rindex(b"\n") + 1]
    foreign_ms = took_ms(lambda: read(foreign, Engine.VLLM), 1 if quick else 5)
    flood_ms = took_ms(lambda: refused(flood), 1 if quick else 5)
    figures = [
        Figure(name="the official parser alone", value=alone_ms, unit="ms"),
        Figure(name="filter", value=filter_ms, unit="ms", note=f"{len(lines)} lines of {samples} samples are wanted"),
        Figure(name="official parser on what is wanted", value=parser_ms, unit="ms"),
        Figure(name="first page to series", value=first_ms, unit="ms", note="filter, parser, what is not believed"),
        Figure(name="next page to series", value=again_ms, unit="ms", note="names and labels are known"),
        Figure(name="next page to rows", value=rows_ms, unit="ms"),
        Figure(name="a million foreign series", value=foreign_ms, unit="ms", note=f"{len(foreign) / 2**20:.0f} MiB"),
        Figure(name="a million wanted series", value=flood_ms, unit="ms", note=refused(flood)),
    ]
    ratios = {"parser_alone_to_next_page": alone_ms / again_ms, "parser_alone_to_first_page": alone_ms / first_ms}
    return Answer(benchmark="scrape", figures=figures, ratios=ratios, setting={"samples": samples, "rounds": rounds})


if __name__ == "__main__":
    main("scrape", measure)
