"""Knows where Grafana's numbers come from and where our own pages are; refuses to know dashboards and rules.

Source: spec/ui.md 8 (flavours); grafana-clickhouse-datasource 4.20.0, docs/sources/configure.md; Grafana 11.6,
"Provision Grafana" (data sources, dashboards).
"""

from enum import StrEnum

URL = "http://127.0.0.1:8200/ui/"
"""Of our pages."""


class Flavour(StrEnum):
    """Where the numbers come from."""

    CLICKHOUSE = "clickhouse"
    PROMETHEUS = "prometheus"


PLUGINS = {Flavour.CLICKHOUSE: "grafana-clickhouse-datasource", Flavour.PROMETHEUS: "prometheus"}
UIDS = {Flavour.CLICKHOUSE: "inferometer", Flavour.PROMETHEUS: "inferometer-prom"}
"""What data sources and rules are found by: dashboards have a variable, alert rules have none."""


def provisioning(flavour: Flavour) -> dict[str, str]:
    """Return the files by which Grafana finds data source and dashboards, by their names."""
    return {
        "provisioning/dashboards/inferometer.yaml": _PROVIDER,
        f"provisioning/datasources/{UIDS[flavour]}.yaml": _DATASOURCES[flavour],
    }


_PROVIDER = """\
apiVersion: 1
providers:
  - name: inferometer
    folder: inferometer
    type: file
    options:
      path: /var/lib/grafana/dashboards/inferometer
"""
_DATASOURCES = {
    Flavour.CLICKHOUSE: f"""\
apiVersion: 1
datasources:
  - name: inferometer
    uid: {UIDS[Flavour.CLICKHOUSE]}
    type: {PLUGINS[Flavour.CLICKHOUSE]}
    jsonData:
      host: 127.0.0.1
      port: 8300
      protocol: http
      username: grafana
      defaultDatabase: inferometer
    secureJsonData:
      password: $INFEROMETER_GRAFANA_PASSWORD
""",
    Flavour.PROMETHEUS: f"""\
apiVersion: 1
datasources:
  - name: inferometer-prom
    uid: {UIDS[Flavour.PROMETHEUS]}
    type: {PLUGINS[Flavour.PROMETHEUS]}
    url: http://127.0.0.1:9090
""",
}
