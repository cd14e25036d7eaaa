"""Knows how the file of notification channels is read, with its secrets; refuses to send anything.

    channels:
      - name: on-call
        kind: pagerduty
        secret_file: pagerduty.key      # routing key
        severities: [page]
      - name: alertmanager
        kind: alertmanager
        urls: [http://10.0.0.5:9093, http://10.0.0.6:9093]      # every instance, no load balancer
      - name: team
        kind: slack
        url_file: slack.url             # its URL is a secret
        labels: {service: [chat, search]}
      - name: bot
        kind: webhook
        url: https://bot.example.org/alerts
        secret_file: bot.key            # signs each post
        networks: [10.20.0.0/16]        # private addresses that it may have
      - name: switch
        kind: dead_man
        url: https://hc.example.org/ping        # hears every minute that the engine lives; raises the alarm when not

Receivers have to be public, unless `networks` allows more; an Alertmanager is the operator's own and may be near. Files
are looked for beside the channel file.

Source: spec/slo.md 11; spec/reliability.md 12 (targets from configuration alone, allowlisted CIDRs); design.md (secrets
by file).
"""

from ipaddress import ip_network
from pathlib import Path

from inferometer import slo_files
from inferometer.config import secret
from inferometer.errors import ConfigurationError
from slo.burn_catalogue import Severity
from slo.channels import Channel, ChannelKind
from slo.documents import Findings, Section
from slo.errors import ObjectiveError
from telemetry.fetch_error import FetchError
from telemetry.guard import Network, Policy, place

CHANNELS_MAX = 32
"""Channels of one file; each has its own queue."""
URLS_MAX = 16
"""Instances of one Alertmanager."""
NAME_CHARACTERS_MAX = 63
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


def channels(path: Path) -> tuple[Channel, ...]:
    """Return the channels of a file, at least one.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong; with file and line.
    """
    written = slo_files.documents(path)
    if len(written) != 1:
        raise ConfigurationError(f"{path}: found {len(written)} documents; allowed: one, with the key channels")
    findings = Findings()
    try:
        top = Section(written[0], "", findings)
        listed = list(top.sections("channels", required=True))
        top.end()
        if listed and len(listed) > CHANNELS_MAX:
            top.wrong("channels", f"at most {CHANNELS_MAX}", f"{len(listed)} channels")
        found = [_channel(one, path.parent) for one in listed[:CHANNELS_MAX]]
        _check_names(listed, found)
        if not found:
            top.wrong("channels", "a list of channels", "none")
        findings.check()
    except ObjectiveError as error:
        raise ConfigurationError(str(error)) from None
    return tuple(found)


def _channel(one: Section, folder: Path) -> Channel:
    name = one.text("name", required=True, most=NAME_CHARACTERS_MAX)
    kind = one.choice("kind", ChannelKind) or ChannelKind.WEBHOOK
    key = _secret(one, "secret_file", folder)
    if kind is ChannelKind.PAGERDUTY and not key:
        one.wrong("secret_file", "the path of a file that holds the routing key")
    policy = Policy(local=kind is ChannelKind.ALERTMANAGER, networks=_networks(one), ports=None)
    found = Channel(
        name=name,
        kind=kind,
        urls=_urls(one, kind, folder, policy),
        secret=key,
        severities=frozenset(one.members("severities", tuple(Severity)) or Severity),
        labels=_labels(one),
        policy=policy,
    )
    one.end()
    return found


def _check_names(listed: list[Section], found: list[Channel]) -> None:
    seen: set[str] = set()
    for section, channel in zip(listed, found, strict=False):
        if channel.name in seen:
            section.wrong("name", "a name that no other channel has")
        seen.add(channel.name)


def _urls(one: Section, kind: ChannelKind, folder: Path, policy: Policy) -> tuple[str, ...]:
    """Return where it is, and complain of what may not be asked."""
    ways = {"url": one.text("url"), "url_file": _secret(one, "url_file", folder)}
    told = [(one.path(name), url, one.place(name)) for name, url in ways.items() if url]
    if kind is ChannelKind.ALERTMANAGER:
        told += [(key, str(each.value), each.where) for key, each in one.listed("urls")]
    elif not told and kind is ChannelKind.PAGERDUTY:
        told = [(one.path("url"), PAGERDUTY_URL, one.where)]
    most = URLS_MAX if kind is ChannelKind.ALERTMANAGER else 1
    if not 1 <= len(told) <= most:
        ways_words = "url, url_file or urls" if kind is ChannelKind.ALERTMANAGER else "url or url_file"
        one.findings.error(
            one.where,
            one.key,
            f"{len(told)} URLs",
            f"1 to {most} by {ways_words}" if most > 1 else f"one by {ways_words}",
        )
    for key, url, where in told:
        try:
            place(url, policy)
        except FetchError as error:  # a URL may be a secret and is not repeated
            one.findings.error(
                where, key, f"a URL that may not be asked: {error}", "http or https; networks allows more"
            )
    return tuple(url for _, url, _ in told)


def _networks(one: Section) -> tuple[Network, ...]:
    found: list[Network] = []
    for key, each in one.listed("networks"):
        try:
            found.append(ip_network(str(each.value)))
        except ValueError:
            one.findings.error(each.where, key, repr(each.value), "a network, for example 10.20.0.0/16")
    return tuple(found)


def _labels(one: Section) -> dict[str, frozenset[str]]:
    section = one.section("labels")
    if section is None:
        return {}
    found: dict[str, frozenset[str]] = {}
    for name, written in section.items():
        listed = written.value if isinstance(written.value, list) else [written]
        values = [each.value for each in listed]
        if not values or not all(isinstance(value, str) for value in values):
            section.wrong(name, "a text, or a list of texts")
        found[name] = frozenset(str(value) for value in values)
    return found


def _secret(one: Section, name: str, folder: Path) -> str:
    file = one.text(name)
    if not file:
        return ""
    path = folder / Path(file).expanduser()
    found = secret(None, str(path), f"{one.place(name)}: {one.path(name).removesuffix('_file')}")
    if not found:
        one.wrong(name, "a file that is not empty", f"{path}, which is empty")
    return found
