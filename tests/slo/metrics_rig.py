"""Rows of engines and GPUs, and a rule that is asked about them on a real store."""

from collections.abc import Sequence

import msgspec

from slo.rules.rule import Found, Rule
from telemetry.clock import wall_ms
from telemetry.samples import EngineSample
from telemetry.store import Store

NOW_S = wall_ms() // 3_600_000 * 3_600
"""A whole hour, from which the tests count back: all that they insert is kept."""


def scrape(endpoint: str, replica: str, at_s: float, **known: object) -> EngineSample:
    plain = {"up": 1, "engine": "vllm", "model": "m", "running": 4}
    return EngineSample(
        ts=round(at_s * 1000), endpoint=endpoint, replica=replica, scrape_us=1, **plain | known  # type: ignore[arg-type]  # by name
    )  # fmt: skip


def insert(writer: Store, rows: list[EngineSample]) -> None:
    writer.insert_samples(rows, f"{rows[0].endpoint}-{hash(str(msgspec.to_builtins(rows)))}")


def asked(reader: Store, rule: Rule, at_s: int) -> Sequence[Found]:
    return rule.judge(at_s, {name: reader.query(question) for name, question in rule.questions(at_s).items()})


def ask(reader: Store, rule: Rule, at_s: int, endpoint: str) -> dict[str, Found]:
    """What a rule finds of an endpoint, by replica."""
    found = [one for one in asked(reader, rule, at_s) if one.labels["endpoint"] == endpoint]
    return {one.labels.get("replica", ""): one for one in found}
