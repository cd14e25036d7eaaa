"""Knows how Grafana's dashboards, alert rules and the files by which it finds them are written.

Refuses to know what they hold.

Source: spec/ui.md 8 (`config grafana`); spec/slo.md 5 (burn windows).
"""

import json
from collections.abc import Mapping
from pathlib import Path

from dashboards.grafana import dashboards
from dashboards.grafana_alerts import BurnRule, Promise, alerts
from dashboards.grafana_source import UIDS, Flavour, provisioning
from dashboards.panels import PANELS
from inferometer.errors import ConfigurationError
from slo.burn_catalogue import FIXED_WINDOWS
from slo.prometheus_rules import window_label
from slo.templates import TEMPLATES
from slo.windows import burn_rules


def texts(flavour: Flavour) -> dict[str, str]:
    """Return all files by their names.

    Args:
        flavour: Where the numbers come from.
    """
    rules = {f"provisioning/alerting/{UIDS[flavour]}.json": alerts(flavour, promise())}
    made = dashboards(PANELS, flavour) | rules
    return {name: text(one) for name, one in made.items()} | provisioning(flavour)


def write(folder: Path, flavour: Flavour) -> list[Path]:
    """Write the dashboards, and below them what provisions them; returns the files.

    Args:
        folder: Where to; it is made.
        flavour: Where the numbers come from.

    Raises:
        ConfigurationError: They cannot be written there.
    """
    written: list[Path] = []
    try:
        for name, content in texts(flavour).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise ConfigurationError(f"--out {folder}: cannot be written: {error.strerror}") from None
    return written


def promise() -> Promise:
    """Return what endpoints are held to, and what objectives over the usual period are: the burn rules of both."""
    kept = burn_rules(FIXED_WINDOWS, FIXED_WINDOWS.period_s).kept
    return Promise(
        target=TEMPLATES["availability_single_region"].target,
        period=window_label(FIXED_WINDOWS.period_s),
        rules=[
            BurnRule(
                severity=one.severity.value,
                threshold=one.burn,
                long_s=one.long_s,
                short_s=one.short_s,
                long=window_label(one.long_s),
                short=window_label(one.short_s),
            )
            for one in kept
        ],
    )


def text(document: Mapping[str, object]) -> str:
    """Return a dashboard, or a file of rules, as it stands in its file."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
