"""The file of notification channels: what it holds becomes channels, and what is wrong is named with its line."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from inferometer.channel_file import CHANNELS_MAX, NAME_CHARACTERS_MAX, PAGERDUTY_URL, URLS_MAX, channels
from inferometer.errors import ConfigurationError
from slo.burn_catalogue import Severity
from slo.channels import Channel, ChannelKind
from telemetry.guard import Policy

ALL = """\
channels:
  - {name: on-call, kind: pagerduty, secret_file: key, severities: [page]}
  - {name: am, kind: alertmanager, urls: ["http://10.0.0.5:9093", "http://10.0.0.6:9093"]}
  - {name: team, kind: slack, url_file: url, labels: {service: [chat, search], region: eu}}
  - {name: bot, kind: webhook, url: "https://bot.example.org/x", secret_file: key, networks: [10.20.0.0/16]}
"""


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "url").write_text("https://hooks.slack.com/services/T/B/s3cret\n")
    (tmp_path / "empty").write_text("\n")
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    return path


def test_a_file_becomes_channels(tmp_path: Path) -> None:
    near = Policy(local=True, ports=None)
    anywhere = Policy(ports=None)

    assert channels(folder(tmp_path, ALL)) == (
        Channel(
            name="on-call",
            kind=ChannelKind.PAGERDUTY,
            urls=(PAGERDUTY_URL,),
            secret="s3cret",  # noqa: S106 -- of a test
            severities=frozenset({Severity.PAGE}),
            policy=anywhere,
        ),
        Channel(
            name="am",
            kind=ChannelKind.ALERTMANAGER,
            urls=("http://10.0.0.5:9093", "http://10.0.0.6:9093"),
            policy=near,
        ),
        Channel(
            name="team",
            kind=ChannelKind.SLACK,
            urls=("https://hooks.slack.com/services/T/B/s3cret",),
            labels={"service": frozenset({"chat", "search"}), "region": frozenset({"eu"})},
            policy=anywhere,
        ),
        Channel(
            name="bot",
            kind=ChannelKind.WEBHOOK,
            urls=("https://bot.example.org/x",),
            secret="s3cret",  # noqa: S106 -- of a test
            policy=Policy(networks=(ip_network("10.20.0.0/16"),), ports=None),
        ),
    )


HOOK = "channels:\n  - name: bot\n    kind: webhook\n    url: https://bot.example.org/x\n"
"""The fifth line is the next."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("channels: []\n", ":1: channels: found none, allowed a list of channels", id="no channel"),
        pytest.param(HOOK + "a: 1\n", ":5: a: found unknown key, allowed channels", id="an unknown key at the top"),
        pytest.param(HOOK + "    color: red\n", ":5: channels[0].color: found unknown key", id="an unknown key"),
        pytest.param(HOOK + "    severities: [p1]\n", ":5: channels[0].severities[0]: found 'p1'", id="a severity"),
        pytest.param(
            HOOK + "    networks: [10.0.0.1/8]\n", ":5: channels[0].networks[0]: found '10.0.0.1/8'", id="CIDR"
        ),
        pytest.param(HOOK + "    labels: {service: 3}\n", ":5: channels[0].labels.service: found 3", id="a label"),
        pytest.param(HOOK + "    secret_file: none\n", ":5: channels[0].secret_file: ", id="a file that is not there"),
        pytest.param(HOOK + "    secret_file: empty\n", "which is empty", id="an empty file"),
        pytest.param(HOOK + "    url_file: url\n", ":2: channels[0]: found 2 URLs, allowed one by url", id="two URLs"),
        pytest.param(
            HOOK + "  - {name: bot, kind: webhook, url: 'https://b'}\n",
            ":5: channels[1].name: found 'bot'",
            id="a name twice",
        ),
        pytest.param(
            "channels:\n  - {name: x, kind: pagerduty}\n",
            ":2: channels[0].secret_file: found nothing",
            id="no routing key",
        ),
        pytest.param("channels:\n  - {name: x, kind: mail}\n", ":2: channels[0].kind: found 'mail'", id="a kind"),
        pytest.param("channels:\n  - {name: x, kind: slack}\n", ":2: channels[0]: found 0 URLs", id="no URL"),
        pytest.param("- a\n", ":1: document: found a list, allowed a mapping", id="a list"),
        pytest.param("{}\n---\n{}\n", "found 2 documents", id="two documents"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        channels(folder(tmp_path, text))

    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000/s3cret",
        "http://10.0.0.5/s3cret",
        "http://[::ffff:169.254.169.254]/s3cret",
        "http://2852039166/s3cret",
        "http://me:s3cret@example.org/",
        "file:///s3cret",
    ],
)
def test_an_address_that_may_not_be_asked_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    text = f"channels:\n  - name: x\n    kind: webhook\n    url: '{url}'\n"
    with pytest.raises(
        ConfigurationError, match=r":4: channels\[0\]\.url: found a URL that may not be asked"
    ) as caught:
        channels(folder(tmp_path, text))

    assert "s3cret" not in str(caught.value)


def test_a_near_address_can_be_allowed_but_never_a_cloud_s_metadata(tmp_path: Path) -> None:
    text = "channels:\n  - {name: x, kind: webhook, url: 'http://%s/', networks: ['127.0.0.0/8', '169.254.0.0/16']}\n"
    (found,) = channels(folder(tmp_path, text % "127.0.0.1:9000"))
    assert found.urls == ("http://127.0.0.1:9000/",)

    with pytest.raises(ConfigurationError, match=r"169\.254\.169\.254"):
        channels(folder(tmp_path, text % "169.254.169.254"))


def test_bounds_hold_at_the_edge_and_not_beyond(tmp_path: Path) -> None:
    def hooks(n: int) -> str:
        return "channels:\n" + "".join(f"  - {{name: c{at}, kind: webhook, url: 'https://b'}}\n" for at in range(n))

    def instances(n: int) -> str:
        return f"channels: [{{name: a, kind: alertmanager, urls: [{', '.join(['http://a'] * n)}]}}]\n"

    def named(n: int) -> str:
        return f"channels: [{{name: {'x' * n}, kind: webhook, url: 'https://b'}}]\n"

    assert len(channels(folder(tmp_path, hooks(CHANNELS_MAX)))) == CHANNELS_MAX
    assert len(channels(folder(tmp_path, instances(URLS_MAX)))[0].urls) == URLS_MAX
    assert len(channels(folder(tmp_path, named(NAME_CHARACTERS_MAX)))[0].name) == NAME_CHARACTERS_MAX
    for text in (hooks(CHANNELS_MAX + 1), instances(URLS_MAX + 1), named(NAME_CHARACTERS_MAX + 1)):
        with pytest.raises(ConfigurationError, match=r"allowed (at most 32|1 to 16|at most 63)"):
            channels(folder(tmp_path, text))
