"""Knows how a file of synthetic probes is written; refuses to ask anything.

The file is a YAML list, one mapping per probe; its keys are told by `inferometer probe template` and by the messages,
each of which names file, line, key, what was found and what is allowed. API keys stand in files or in the environment,
never here.

Source: design.md (configuration), issue "synthetic users"; spec/reliability.md 8, 12.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from random import SystemRandom
from urllib.parse import urlsplit

from inferometer.config import secret
from inferometer.errors import ConfigurationError
from inferometer.yaml_entries import Entry, listed
from probes import json_schema
from probes.async_jobs import Job
from probes.budget import Cap
from probes.checks import Checks, pattern
from probes.deadlines import Deadlines
from probes.finding import Subject
from probes.planned import Certificate, Name, Planned, PlannedStage, Single, Steps, scheduled
from probes.question import APIS, Wish, bearer, under
from probes.reach import Host, Page
from probes.scheduled import Scheduled
from probes.synthetic import Completion, Labels
from probes.workflow import STAGES_MAX
from telemetry import guard
from telemetry.fetch import Client
from telemetry.fetch_error import FetchError
from telemetry.guard import Policy

PROBES_MAX = 200
"""Probes of one file."""
FILE_BYTES_MAX = 1 << 20
"""Largest file."""

_DAY_S = 86_400
_HOUR_S = 3_600
_ENGINES = ("vllm", "sglang", "other")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_GIVEN = re.compile(r"\$\{([^}]*)\}")
_INTERVALS_S = {"tls": _HOUR_S, "async_job": 900, "workflow": 900}
_INTERVAL_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFile:
    """What a file asks for.

    Attributes:
        planned: Its probes, in order.
    """

    planned: Sequence[Planned]

    def probes(self, client: Client) -> list[Scheduled]:
        """Return them ready for the loop."""
        return scheduled(self.planned, client, SystemRandom())


def read(path: Path, environ: Mapping[str, str] | None = None) -> ProbeFile:
    """Read a file.

    Args:
        path: Where it is.
        environ: Environment for `key_env`; None takes the process's own.

    Raises:
        ConfigurationError: With one line that says what to mend and where.
    """
    try:
        with path.expanduser().open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigurationError(f"{path}: is larger than {FILE_BYTES_MAX} bytes")
    return parse(text, str(path), os.environ if environ is None else environ)


def parse(text: str, file: str, environ: Mapping[str, str]) -> ProbeFile:
    """Read the text of a file.

    Raises:
        ConfigurationError: With one line that says what to mend and where.
    """
    entries = listed(text, file)
    if len(entries) > PROBES_MAX:
        raise ConfigurationError(f"{file}: found {len(entries)} probes; allowed: at most {PROBES_MAX}")
    planned: dict[tuple[str, str], Planned] = {}
    for entry in entries:
        one = _planned(entry, environ)
        named = one.subject.target, one.subject.name
        if named in planned:
            raise entry.wrong("name", f"{'/'.join(named)} is the name of another probe too")
        planned[named] = one
    return ProbeFile(planned=tuple(planned.values()))


def _planned(entry: Entry, environ: Mapping[str, str]) -> Planned:
    kind = entry.choice("kind", (*_SINGLE, "workflow"))
    target, name, region = _named(entry, "target"), _named(entry, "name", kind), _optional(entry, "region")
    subject = Subject(target=target, name=name, kind=kind, region=region)
    entry.label = f"{subject.target}/{subject.name}"
    interval_s = entry.number("interval_s", 1, _DAY_S, _INTERVALS_S.get(kind, _INTERVAL_S))
    cap = _cap(entry.section("budget"))
    what = _steps(entry, subject, environ) if kind == "workflow" else _SINGLE[kind](entry, subject, environ)
    entry.done()
    return Planned(subject=subject, what=what, interval_s=interval_s, cap=cap)


def _steps(entry: Entry, subject: Subject, environ: Mapping[str, str]) -> Steps:
    stages: list[PlannedStage] = []
    entries = entry.entries("stages")
    if len(entries) > STAGES_MAX:
        raise entry.wrong("stages", f"found {len(entries)}; allowed: at most {STAGES_MAX}")
    for one in entries:
        kind, name = one.choice("kind", _STAGES), _named(one, "name")
        one.label = f"{entry.label}/{name}"
        if name in {stage.name for stage in stages}:
            raise one.wrong("name", f"{name} is the name of another stage too")
        budget_s = one.number("budget_s", 0.001, _DAY_S)
        what = _telling(_SINGLE[kind](one, subject, environ))
        _check_given(one, what, {stage.name for stage in stages})
        one.done()
        stages.append(PlannedStage(name=name, what=what, budget_s=budget_s))
    _inherited(entry)
    budget_s = entry.number("budget_s", 0.001, _DAY_S, sum(stage.budget_s for stage in stages))
    return Steps(stages=stages, budget_s=budget_s)


def _completion(entry: Entry, subject: Subject, environ: Mapping[str, str]) -> Completion:
    url, policy = _place(entry)
    wish = Wish(
        url=url,
        api=entry.choice("api", APIS, "openai_chat"),
        engine=entry.choice("engine", _ENGINES, "vllm"),
        model=entry.text("model"),
        prompt=entry.text("prompt"),
        tokens_max=entry.whole("tokens_max", 1, 100_000, 16),
        stream=entry.flag("stream", default=True),
        extra=entry.mapping("extra", {}),
        key=_key(entry, environ),
    )
    deadlines = Deadlines(
        first_token_s=entry.number("first_token_s", 0.01, _HOUR_S, 30),
        stall_s=entry.number("stall_s", 0.01, _HOUR_S, 10),
        total_s=entry.number("total_s", 0.01, _HOUR_S, 60),
    )
    checks = _checks(entry.section("checks"))
    return Completion(wish=wish, labels=_labels(entry, subject), policy=policy, checks=checks, deadlines=deadlines)


def _page(entry: Entry, usual_path: str, environ: Mapping[str, str]) -> Page:
    url, policy = _place(entry)
    path = entry.text("path", usual_path) if usual_path != _MODELS else _MODELS
    return Page(
        url=under(url, path) if path != "/" else url,
        policy=policy,
        total_s=entry.number("total_s", 0.01, _HOUR_S, 10),
        headers=_headers(entry, environ),
        body=entry.mapping("body") if entry.has("body") else None,
        model=_optional(entry, "model"),
        take=_optional(entry, "take"),
    )


def _labels(entry: Entry, subject: Subject) -> Labels:
    return Labels(
        endpoint=subject.target,
        region=subject.region,
        workload_class=_optional(entry, "workload_class"),
        variant=_optional(entry, "variant"),
    )


def _job(entry: Entry, subject: Subject, environ: Mapping[str, str]) -> Job:
    url, policy = _place(entry)
    return Job(
        url=url,
        policy=policy,
        body=entry.mapping("body"),
        headers=_headers(entry, environ),
        total_s=entry.number("total_s", 0.01, _DAY_S, 600),
        look_s=entry.number("look_s", 0.01, _HOUR_S, 10),
        labels=_labels(entry, subject),
        model=_optional(entry, "model"),
        take=_optional(entry, "take"),
    )


def _host(entry: Entry, *, secure: bool) -> Host:
    url, policy = _place(entry)
    if secure and not url.lower().startswith("https:"):
        raise entry.wrong("url", f"found {url!r}; allowed: https")
    return Host(url=url, policy=policy, total_s=entry.number("total_s", 0.01, _HOUR_S, 10))


_MODELS = "/v1/models"
_SINGLE: Mapping[str, Callable[[Entry, Subject, Mapping[str, str]], Single]] = {
    "completion": _completion,
    "models": lambda entry, _, environ: _page(entry, _MODELS, environ),
    "health": lambda entry, _, environ: _page(entry, "/health", environ),
    "page": lambda entry, _, environ: _page(entry, "/", environ),
    "tls": lambda entry, _, __: Certificate(host=_host(entry, secure=True)),
    "dns": lambda entry, _, __: Name(host=_host(entry, secure=False)),
    "async_job": _job,
}
_STAGES = ("completion", "page", "async_job")


def _place(entry: Entry) -> tuple[str, Policy]:
    """Return the URL and where it may lead: anywhere near, or only into the public and the networks that are named."""
    url = entry.text("url", inherits=True)
    is_public = entry.flag("public", default=False, inherits=True)
    networks = entry.texts("networks", inherits=True)
    policy = guard.ENGINE
    try:
        if is_public or networks:
            port = urlsplit(url).port
            policy = Policy(
                networks=tuple(ip_network(text) for text in networks),
                ports=frozenset() if port is None else frozenset({port}),
            )
        guard.place(url, policy)
    except FetchError as error:
        raise entry.wrong("url", str(error)) from None
    except ValueError as error:
        raise entry.wrong("networks", f"{error}; allowed: networks such as 10.0.0.0/8") from None
    return url, policy


def _key(entry: Entry, environ: Mapping[str, str]) -> str:
    file, variable = (_optional(entry, name, inherits=True) for name in ("key_file", "key_env"))
    if file and variable:
        raise entry.wrong("key_env", "stands beside key_file; allowed: one of the two")
    if variable:
        key = environ.get(variable, "")
        if not key:
            raise entry.wrong("key_env", f"the variable {variable} is not set")
        return key
    try:
        key = secret(None, file or None, "key")
    except ConfigurationError as error:
        raise entry.wrong("key_file", str(error).removeprefix("key_file: ")) from None
    if file and not key:
        raise entry.wrong("key_file", f"{file} is empty")
    return key


def _headers(entry: Entry, environ: Mapping[str, str]) -> Mapping[str, str]:
    told = entry.mapping("headers", {})
    if not all(isinstance(value, str) for value in told.values()):
        raise entry.wrong("headers", "a value is no text; allowed: texts")
    return {**told, **bearer(_key(entry, environ))}


def _checks(entry: Entry | None) -> Checks:
    if entry is None:
        return Checks()
    checks = Checks(
        contains=entry.texts("contains"),
        matches=entry.parsed("matches", lambda value: pattern(str(value)), None),
        schema=entry.mapping("schema") if entry.has("schema") else None,
        tokens_min=entry.whole("tokens_min", 0, 1_000_000) if entry.has("tokens_min") else None,
        tokens_max=entry.whole("tokens_max", 0, 1_000_000) if entry.has("tokens_max") else None,
    )
    if checks.schema is not None and (why := json_schema.refused(checks.schema)):
        raise entry.wrong("schema", f"{why}; allowed: {', '.join(json_schema.KEYWORDS)}")
    entry.done()
    return checks


def _cap(entry: Entry | None) -> Cap:
    if entry is None:
        return Cap()
    prices = {name: entry.number(name, 0, 1e6, 0) for name in ("usd_per_mtok_in", "usd_per_mtok_out", "usd_per_run")}
    cap = Cap(
        tokens_max=entry.whole("tokens_per_day", 1, 10**12) if entry.has("tokens_per_day") else None,
        usd_max=entry.number("usd_per_day", 0.0001, 1e9) if entry.has("usd_per_day") else None,
        **prices,
    )
    if cap.usd_max is not None and not any(prices.values()):
        raise entry.wrong("usd_per_day", f"no price is set, so it would never be reached; set {', '.join(prices)}")
    entry.done()
    return cap


def _telling(what: Single) -> Single:
    """Let a completion hand its text on."""
    return replace(what, tells_text=True) if isinstance(what, Completion) else what


def _check_given(entry: Entry, what: Single, known: set[str]) -> None:
    """Refuse a `${name}` that no earlier stage fills."""
    key, text = (
        ("prompt", what.wish.prompt) if isinstance(what, Completion) else ("body", str(getattr(what, "body", "")))
    )
    unknown = [name for name in _GIVEN.findall(text) if name not in known]
    if unknown:
        raise entry.wrong(
            key, f"no stage before is called {unknown[0]!r}; allowed: {', '.join(sorted(known)) or 'none'}"
        )


def _inherited(entry: Entry) -> None:
    """Know the keys of a workflow that are its stages'."""
    for name in ("url", "public", "networks", "key_file", "key_env"):
        entry.has(name)


def _named(entry: Entry, name: str, default: str | None = None) -> str:
    text = entry.text(name, default)
    if not _NAME.fullmatch(text):
        raise entry.wrong(name, f"found {text!r}; allowed: up to 64 letters, digits, `_`, `.`, `-`")
    return text


def _optional(entry: Entry, name: str, *, inherits: bool = False) -> str:
    """Return a text that may be missing, then empty."""
    text = entry.text(name, _MISSING, inherits=inherits)
    return "" if text == _MISSING else text


_MISSING = "\0"
