"""Knows how to ask whether something is there: a page, a list of models, a certificate, a name; keeps no body.

Source: spec/store.md 3 (probe_results: health, models, tls, dns); spec/reliability.md 12.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import msgspec

from probes.finding import Finding, Word, of_fault
from probes.payload import filled_body, taken
from probes.synthetic import certificate_days, trace_detail
from telemetry.classify import fault_class, read_fault
from telemetry.clock import wall_ms
from telemetry.events import as_object, json_or_text
from telemetry.fetch import Client, Fetched, Trace
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import Policy
from telemetry.outcome import Outcome

PAGE_BYTES_MAX = 1024 * 1024
"""Longest page."""

_GOOD_MIN, _GOOD_MAX = 200, 299


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is asked, and what must come back.

    Attributes:
        url: What to ask.
        policy: Where it may lead.
        total_s: Longest time.
        headers: With the key in it.
        body: JSON to post; None gets the page.
        model: Model that the page must list; empty for none.
        take: Place of a text in the answer that a next stage needs; empty for none.
    """

    url: str
    policy: Policy
    total_s: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    model: str = ""
    take: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server that is not asked for anything.

    Attributes:
        url: Its scheme, name and port.
        policy: Where it may lead.
        total_s: Longest time.
    """

    url: str
    policy: Policy
    total_s: float = 10.0


class Pages:
    """Asks for one page; a status of 2xx is good, a redirect is not followed."""

    def __init__(self, page: Page, *, client: Client) -> None:
        self.limit_s = page.total_s
        self._page = page
        self._client = client

    async def find(self, given: Mapping[str, str]) -> Finding:
        """Ask once."""
        page, trace = self._page, Trace()
        posted = None if page.body is None else msgspec.json.encode(filled_body(page.body, given))
        kind = {} if posted is None else {"Content-Type": "application/json"}
        try:
            fetched = await self._client.fetch(
                "GET" if posted is None else "POST",
                page.url,
                policy=page.policy,
                total_s=page.total_s,
                bytes_max=PAGE_BYTES_MAX,
                headers={**kind, **page.headers},
                body=posted,
                trace=trace,
            )
        except FetchError as error:
            return failed_fetch(error, trace)
        return self._judged(fetched)

    def _judged(self, fetched: Fetched) -> Finding:
        page = self._page
        outcome, detail, text = status_outcome(fetched), {"status": str(fetched.status)}, ""
        models = listed_models(fetched.body) if page.model else None
        if outcome is Outcome.OK and models is not None and page.model not in models:
            outcome, detail["check"] = Outcome.NOT_FOUND, "model"
        if outcome is Outcome.OK and page.take:
            text = taken(fetched.body, page.take) or ""
            outcome, detail["check"] = (outcome, "") if text else (Outcome.BAD_OUTPUT, "take")
        return Finding(
            outcome=outcome,
            ok=outcome is Outcome.OK,
            duration_us=fetched.elapsed_us,
            value=None if models is None else float(len(models)),
            detail={name: value for name, value in {**detail, **trace_detail(fetched.trace)}.items() if value},
            text=text,
        )


class Handshakes:
    """Asks for nothing but a secure connection; its value is for how many days the certificate still holds."""

    def __init__(self, host: Host, *, client: Client) -> None:
        self.limit_s = host.total_s
        self._host = host
        self._client = client

    async def find(self, given: Mapping[str, str]) -> Finding:
        """Ask once; what the server says after the handshake does not matter."""
        del given
        trace = Trace()
        try:
            await self._client.fetch(
                "HEAD",
                self._host.url,
                policy=self._host.policy,
                total_s=self._host.total_s,
                bytes_max=PAGE_BYTES_MAX,
                trace=trace,
            )
        except FetchError as error:
            if trace.tls_us is None:
                found = failed_fetch(error, trace)
                return _certificate(found.detail) if error.kind is Fault.TLS else found
        parts = (trace.dns_us, trace.connect_us, trace.tls_us)
        return Finding(
            outcome=Outcome.OK,
            ok=True,
            duration_us=sum(part for part in parts if part is not None),
            value=certificate_days(trace, wall_ms()),
            detail=trace_detail(trace),
        )


class Lookups:
    """Asks for nothing but the addresses of a name, each of which must be allowed; its value is their number."""

    def __init__(self, host: Host, *, client: Client) -> None:
        self.limit_s = host.total_s
        self._host = host
        self._client = client

    async def find(self, given: Mapping[str, str]) -> Finding:
        """Ask once."""
        del given
        trace, host = Trace(), self._host
        try:
            found = await self._client.resolve(host.url, policy=host.policy, total_s=host.total_s, trace=trace)
        except FetchError as error:
            return failed_fetch(error, trace)
        return Finding(outcome=Outcome.OK, ok=True, duration_us=trace.dns_us, value=float(len(found)))


def failed_fetch(error: FetchError, trace: Trace) -> Finding:
    """Return the finding of a question that got no answer."""
    detail = {"fault": error.kind.value, "reason": str(error), **trace_detail(trace)}
    return Finding(outcome=of_fault(error.kind), ok=False, detail=detail)


def status_outcome(fetched: Fetched) -> Outcome:
    """Return the class of an answer by its status and, if it is an error, by its words."""
    if _GOOD_MIN <= fetched.status <= _GOOD_MAX:
        return Outcome.OK
    return fault_class(read_fault(json_or_text(fetched.body)), fetched.status)


def listed_models(body: bytes) -> frozenset[str]:
    """Return the names in an answer of `/v1/models`; empty if it is none."""
    entries = as_object(json_or_text(body)).get("data")
    listed = cast("list[object]", entries) if isinstance(entries, list) else []
    names = (as_object(entry).get("id") for entry in listed)
    return frozenset(name for name in names if isinstance(name, str))


def _certificate(detail: Mapping[str, str]) -> Finding:
    return Finding(outcome=Word.CERTIFICATE, ok=False, detail=detail)
