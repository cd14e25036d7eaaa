"""Knows what a load client costs per streamed token, ours beside others, on the same null server.

Each subject is a process of its own on one core; the server has another. It reads the same number of streams at the
same pace, 5,000 tokens a second in all; its CPU time (user and system, children included) less that of a run with a
single short stream, over the tokens, is what is told. `vllm bench serve` (0.32) and guidellm (0.8) are measured where
they are installed: name their programs by INFEROMETER_PEER_VLLM and INFEROMETER_PEER_GUIDELLM, and a folder with a
tokenizer by INFEROMETER_PEER_TOKENIZER; usually those of `make system` are found. What is missing is n/a, and the ratio
is against the best of those that ran.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Answer, Figure, main
from benchmarks.loadclient_child import SUBJECTS

STREAMS, TOKENS, ITL_S = 100, 300, 0.02
QUICK_TOKENS = 150
OURS = "inferometer"
TARGET_VS_BEST_PEER = 0.5
_CACHE = Path.home() / ".cache" / "inferometer-vllm"

Argv = Callable[[str, int, int], list[str]]


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- the harness hands it over
    """Run every subject."""
    tokens = QUICK_TOKENS if quick else TOKENS
    costs: dict[str, float | None] = {}
    with null_server() as url:
        for name, argv in subjects().items():
            costs[name] = None if argv is None else cost_us(argv, url, tokens)
    peers = [cost for name, cost in costs.items() if name != OURS and cost is not None]
    mine = costs[OURS]
    ratio = None if mine is None or not peers else mine / min(peers)
    figures = [Figure(name=name, value=cost, unit="us CPU per token") for name, cost in costs.items()]
    setting = {"streams": STREAMS, "tokens": tokens, "itl_s": ITL_S, "cores": os.cpu_count()}
    ratios = {"cpu_us_per_token": mine, "cpu_us_per_token_vs_best_peer": ratio, "target": TARGET_VS_BEST_PEER}
    return Answer(benchmark="loadclient", figures=figures, ratios=ratios, setting=setting)


def subjects() -> dict[str, Argv | None]:
    """Return how each subject is started; None for what is not here."""
    found: dict[str, Argv | None] = {name: _child(name) for name in SUBJECTS}
    tokenizer = os.environ.get("INFEROMETER_PEER_TOKENIZER", str(_CACHE / "tiny-llama"))
    for name, default, make in (
        ("vllm bench serve", str(_CACHE / "venv" / "bin" / "vllm"), _vllm),
        ("guidellm", "guidellm", _guidellm),
    ):
        program = shutil.which(os.environ.get(f"INFEROMETER_PEER_{name.split()[0].upper()}", default))
        found[name] = None if program is None else make(program, tokenizer)
    return found


def cost_us(argv: Argv, url: str, tokens: int) -> float | None:
    """Return the CPU microseconds of a token; None if the subject failed."""
    whole, start = cpu_s(argv(url, STREAMS, tokens)), cpu_s(argv(url, 1, 2))
    return None if whole is None or start is None else (whole - start) / (STREAMS * tokens) * 1e6


def cpu_s(argv: Sequence[str]) -> float | None:
    """Run a program on one core; returns its CPU time with its children's, None if it failed."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        said = b"" if process.stderr is None else process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.stderr.write(f"{argv[0]} failed: {said[-400:].decode(errors='replace')}\n")
        return None
    return used.ru_utime + used.ru_stime


@contextmanager
def null_server() -> Generator[str]:
    """Run the null server on the last core."""
    command = [sys.executable, "-m", "loadtest.nullserver", "ttft_s=0.05", f"itl_s={ITL_S}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        try:
            yield f"http://{process.stdout.readline().strip()}" if process.stdout is not None else ""
        finally:
            process.terminate()


def _child(name: str) -> Argv:
    return lambda url, n, tokens: [sys.executable, "-m", "benchmarks.loadclient_child", name, url, str(n), str(tokens)]


def _vllm(program: str, tokenizer: str) -> Argv:
    def argv(url: str, n: int, tokens: int) -> list[str]:
        return [
            *(program, "bench", "serve", "--backend", "openai-chat", "--base-url", url),
            *("--endpoint", "/v1/chat/completions", "--model", "null", "--tokenizer", tokenizer),
            *("--dataset-name", "random", "--random-input-len", "16", "--random-output-len", str(tokens)),
            *("--num-prompts", str(n), "--request-rate", "inf", "--ignore-eos", "--disable-tqdm"),
        ]

    return argv


def _guidellm(program: str, tokenizer: str) -> Argv:
    def argv(url: str, n: int, tokens: int) -> list[str]:
        return [
            *(program, "run", "--backend", f"kind=openai_http,target={url},model=simulated", "--disable-console"),
            *("--profile", f"kind=concurrent,streams={n}", "--constraint", f"kind=max_requests,count={n}"),
            *("--tokenizer", f"kind=huggingface_auto,model={tokenizer}"),
            *("--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={tokens}"),
        ]

    return argv


if __name__ == "__main__":
    main("loadclient", measure)
