from collections.abc import Mapping
from pathlib import Path

import pytest

from inferometer import probe_verbs
from inferometer.errors import ConfigurationError
from inferometer.probe_file import FILE_BYTES_MAX, PROBES_MAX, parse, read
from probes.async_jobs import Job
from probes.budget import Cap
from probes.deadlines import Deadlines
from probes.finding import Subject
from probes.planned import Certificate, Name, Planned, PlannedStage, Steps
from probes.reach import Host, Page
from probes.synthetic import Completion, Labels
from probes.workflow import STAGES_MAX
from telemetry.fetch import Client
from telemetry.guard import ENGINE, PUBLIC

CHAT = "- {kind: completion, target: t, url: 'http://h', model: m, prompt: p}\n"


def one(text: str, environ: Mapping[str, str] | None = None) -> Planned:
    [planned] = parse(text, "f.yaml", environ or {}).planned
    return planned


def refused(text: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "f.yaml", environ or {})
    return str(caught.value)


def test_a_completion_is_read_with_all_its_keys() -> None:
    text = """
- kind: completion
  target: prod
  name: chat
  region: eu
  workload_class: chat
  variant: canary
  interval_s: 30
  url: http://127.0.0.1:8000
  key_env: KEY
  api: anthropic_messages
  engine: other
  model: m
  prompt: Say ok.
  tokens_max: 9
  stream: false
  extra: {temperature: 0}
  first_token_s: 1
  stall_s: 2
  total_s: 3
  checks: {contains: ok, matches: "^o", schema: {type: object}, tokens_min: 1, tokens_max: 2}
  budget: {tokens_per_day: 1000, usd_per_day: 2, usd_per_mtok_in: 0.1, usd_per_mtok_out: 0.4, usd_per_run: 0.01}
"""
    planned = one(text, {"KEY": "canary"})

    what = planned.what
    assert isinstance(what, Completion)
    assert Subject(target="prod", name="chat", kind="completion", region="eu") == planned.subject
    assert 30 == planned.interval_s
    assert Cap(tokens_max=1000, usd_max=2, usd_per_mtok_in=0.1, usd_per_mtok_out=0.4, usd_per_run=0.01) == planned.cap
    assert Labels(endpoint="prod", region="eu", workload_class="chat", variant="canary") == what.labels
    assert ("http://127.0.0.1:8000", "anthropic_messages", "other", "m", "Say ok.", 9, False, {"temperature": 0}) == (
        what.wish.url,
        what.wish.api,
        what.wish.engine,
        what.wish.model,
        what.wish.prompt,
        what.wish.tokens_max,
        what.wish.stream,
        what.wish.extra,
    )
    assert "canary" == what.wish.key
    assert "canary" not in repr(planned).replace("variant='canary'", "")
    assert Deadlines(first_token_s=1, stall_s=2, total_s=3) == what.deadlines
    assert what.checks.matches is not None
    assert (["ok"], "^o", {"type": "object"}, 1, 2) == (
        what.checks.contains,
        what.checks.matches.pattern,
        what.checks.schema,
        what.checks.tokens_min,
        what.checks.tokens_max,
    )
    assert not what.tells_text


def test_a_completion_needs_five_keys() -> None:
    planned = one(CHAT)

    assert (Subject(target="t", name="completion", kind="completion"), 60, Cap()) == (
        planned.subject,
        planned.interval_s,
        planned.cap,
    )
    assert isinstance(planned.what, Completion)
    assert (ENGINE, Deadlines()) == (planned.what.policy, planned.what.deadlines)


JOB = (
    "{kind: async_job, target: t, url: 'http://h/q', body: {a: 1}, total_s: 60, look_s: 5, take: a, model: m,"
    " workload_class: batch}"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{kind: health, target: t, url: 'http://h/'}", Page(url="http://h/health", policy=ENGINE)),
        ("{kind: health, target: t, url: 'http://h', path: /ok}", Page(url="http://h/ok", policy=ENGINE)),
        ("{kind: models, target: t, url: 'http://h/v1'}", Page(url="http://h/v1/models", policy=ENGINE)),
        (
            "{kind: models, target: t, url: 'http://h', model: m, total_s: 2}",
            Page(url="http://h/v1/models", policy=ENGINE, model="m", total_s=2),
        ),
        (
            "{kind: page, target: t, url: 'http://h/x', body: {a: 1}, take: a.0, headers: {X: y}}",
            Page(url="http://h/x", policy=ENGINE, body={"a": 1}, take="a.0", headers={"X": "y"}),
        ),
        (
            "{kind: tls, target: t, url: 'https://h', public: true}",
            Certificate(host=Host(url="https://h", policy=PUBLIC)),
        ),
        (
            "{kind: dns, target: t, url: 'http://h', total_s: 1}",
            Name(host=Host(url="http://h", policy=ENGINE, total_s=1)),
        ),
        (
            JOB,
            Job(
                url="http://h/q",
                policy=ENGINE,
                body={"a": 1},
                total_s=60,
                look_s=5,
                labels=Labels(endpoint="t", workload_class="batch"),
                model="m",
                take="a",
            ),
        ),
    ],
)
def test_the_other_kinds_are_read(text: str, expected: object) -> None:
    assert expected == one(f"- {text}").what


def test_a_workflow_gives_its_stages_what_they_do_not_say() -> None:
    text = """
- kind: workflow
  target: t
  url: https://h
  public: true
  key_env: KEY
  stages:
  - {name: a, kind: completion, budget_s: 1, model: m, prompt: p}
  - {name: b, kind: page, budget_s: 2, url: 'https://other:9999', body: {x: "${a}"}, take: y}
"""
    planned = one(text, {"KEY": "k"})

    steps = planned.what
    assert isinstance(steps, Steps)
    assert (3.0, 900, ["a", "b"]) == (steps.budget_s, planned.interval_s, [stage.name for stage in steps.stages])
    first, second = (stage.what for stage in steps.stages)
    assert isinstance(first, Completion)
    assert ("https://h", "k", True, PUBLIC) == (first.wish.url, first.wish.key, first.tells_text, first.policy)
    assert isinstance(second, Page)
    assert {"Authorization": "Bearer k"} == second.headers
    assert frozenset({9999}) == second.policy.ports
    assert isinstance(steps.stages[0], PlannedStage)


def test_the_template_is_a_file_that_lacks_only_its_keys(tmp_path: Path) -> None:
    text = probe_verbs.template()
    for name in ("llm", "images", "gmi"):
        (tmp_path / f"{name}.key").write_text(f"{name}\n")
    planned = one(text.replace("/etc/inferometer", str(tmp_path)))

    assert isinstance(planned.what, Steps)
    assert ["script", "image", "video"] == [stage.name for stage in planned.what.stages]
    assert "llm.key: cannot be read" in refused(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {target: t}", "f.yaml:1: probe 1.kind: is missing; allowed: completion, models, health, page, tls, dns,"),
        ("- {kind: ping, target: t}", "f.yaml:1: probe 1.kind: found 'ping'; allowed: completion,"),
        ("- {kind: health, url: 'http://h'}", "f.yaml:1: probe 1.target: is missing; allowed: a text"),
        ("- {kind: health, target: 'a/b', url: 'http://h'}", "f.yaml:1: probe 1.target: found 'a/b'; allowed: up to"),
        ("- {kind: health, target: t}", "f.yaml:1: t/health.url: is missing"),
        ("- {kind: health, target: t, url: h}", "f.yaml:1: t/health.url: the scheme '' is neither http nor https"),
        ("- {kind: health, target: t, url: 'http://2852039166/'}", "t/health.url: the host is a number that is no"),
        ("- {kind: health, target: t, url: 'http://10.0.0.1', public: true}", "t/health.url: the address 10.0.0.1 is"),
        ("- {kind: health, target: t, url: 'http://h', networks: [x]}", "t/health.networks: 'x' does not appear to be"),
        ("- {kind: tls, target: t, url: 'http://h'}", "f.yaml:1: t/tls.url: found 'http://h'; allowed: https"),
        ("- {kind: health, target: t, url: 'http://h', interval_s: 0}", "t/health.interval_s: found 0; allowed: a num"),
        ("- {kind: health, target: t, url: 'http://h', intervall_s: 9}", "t/health.intervall_s: unknown key; allowed:"),
        ("- {kind: health, target: t, url: 'http://h', key: canary}", "t/health.key: unknown key; allowed: "),
        ("- {kind: health, target: t, url: 'http://h', key_env: K}", "t/health.key_env: the variable K is not set"),
        ("- {kind: health, target: t, url: 'http://h', key_file: /no/file}", "t/health.key_file: /no/file: cannot be"),
        ("- {kind: health, target: t, url: 'http://h', key_env: K, key_file: f}", "t/health.key_env: stands beside"),
        ("- {kind: health, target: t, url: 'http://h', headers: {a: 1}}", "t/health.headers: a value is no text"),
        (CHAT + CHAT, "f.yaml:2: t/completion.name: t/completion is the name of another probe too"),
        (CHAT.replace("}", ", api: grpc}"), "t/completion.api: found 'grpc'; allowed: openai_chat,"),
        (CHAT.replace("}", ", checks: {matches: '('}}"), "t/completion.checks.matches: is no regular expression:"),
        (
            CHAT.replace("}", ", checks: {schema: {a: 1}}}"),
            "t/completion.checks.schema: schema has the unknown keyword",
        ),
        (CHAT.replace("}", ", checks: {x: 1}}"), "t/completion.checks.x: unknown key; allowed: contains, matches,"),
        (CHAT.replace("}", ", budget: {usd_per_day: 1}}"), "t/completion.budget.usd_per_day: no price is set"),
        (CHAT.replace("}", ", budget: {day: 1}}"), "t/completion.budget.day: unknown key; allowed: tokens_per_day,"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, expected: str) -> None:
    said = refused(text)

    assert expected in said
    assert "\n" not in said
    assert "canary" not in said


STAGE = "{name: %s, kind: page, budget_s: 1, url: 'http://h', body: {x: '${%s}'}}"


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([STAGE % ("a", "b"), STAGE % ("b", "a")], "t/workflow/a.body: no stage before is called 'b'; allowed: none"),
        ([STAGE % ("a", "a")], "t/workflow/a.body: no stage before is called 'a'; allowed: none"),
        (["{name: a, kind: page, budget_s: 1}"] * 2, "t/workflow/a.url: is missing"),
        (["{name: a, kind: page, budget_s: 1, url: 'http://h'}"] * 2, "t/workflow/a.name: a is the name of another"),
        (
            ["{name: a, kind: dns, budget_s: 1, url: 'http://h'}"],
            "stages 1.kind: found 'dns'; allowed: completion, page,",
        ),
        (["{name: a, kind: page, url: 'http://h'}"], "t/workflow/a.budget_s: is missing; allowed: a number from"),
        (["{name: a, kind: page, budget_s: 1, url: 'http://h', x: 1}"], "t/workflow/a.x: unknown key"),
    ],
)
def test_what_is_wrong_in_a_stage_is_said_too(stages: list[str], expected: str) -> None:
    lines = "".join(f"  - {stage}\n" for stage in stages)

    assert expected in refused(f"- kind: workflow\n  target: t\n  stages:\n{lines}")


def test_there_are_bounds() -> None:
    health = "- {kind: health, target: t, name: n%d, url: 'http://h'}\n"
    stage = "  - {name: n%d, kind: page, budget_s: 1, url: 'http://h'}\n"
    workflow = "- kind: workflow\n  target: t\n  stages:\n"

    assert PROBES_MAX == len(parse("".join(health % n for n in range(PROBES_MAX)), "f.yaml", {}).planned)
    assert "at most 200" in refused("".join(health % n for n in range(PROBES_MAX + 1)))
    assert isinstance(one(workflow + "".join(stage % n for n in range(STAGES_MAX))).what, Steps)
    assert "at most 16" in refused(workflow + "".join(stage % n for n in range(STAGES_MAX + 1)))


def test_a_file_is_read_and_becomes_probes(tmp_path: Path) -> None:
    path = tmp_path / "probes.yaml"
    path.write_text(CHAT)

    [probe] = read(path).probes(Client())

    assert ("t/completion", 60) == (probe.name, probe.interval_s)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"\xff", "is not UTF-8 text"), (b"#" * (FILE_BYTES_MAX + 1), "is larger than"), (None, "cannot be read")],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, data: bytes | None, expected: str) -> None:
    path = tmp_path / "probes.yaml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(ConfigurationError, match=expected):
        read(path)


def test_a_file_of_exactly_the_bound_is_read(tmp_path: Path) -> None:
    path = tmp_path / "probes.yaml"
    path.write_bytes(CHAT.encode() + b"#" * (FILE_BYTES_MAX - len(CHAT)))

    assert 1 == len(read(path).planned)


def test_an_empty_key_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("\n")

    assert "key_file: " in refused(f"- {{kind: health, target: t, url: 'http://h', key_file: {path}}}")
