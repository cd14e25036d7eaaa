"""Knows how a control plane of its own is configured from what is there; refuses to know what it does.

Source: design.md (any number of `serve` replicas); spec/reliability.md 10 (binds).
"""

import socket
from pathlib import Path

from inferometer import data_directory, hints_faces, hints_keys, policy_keys, slo_rules, store_secrets
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.listen import refuse_open_bind
from inferometer.reading import access
from inferometer.serve import ServeConfig
from inferometer.serve import run as serve
from inferometer.supervisor import Log
from slo.budget import BlindPolicy


def run(config: Config, log: Log, *, insecure_bind: bool) -> int:
    """Serve until a signal comes; returns the exit code.

    Raises:
        ConfigurationError: The address is open to others, or a password cannot be read.
        UnreachableError: No store is known.
    """
    return serve(serve_config(config, insecure_bind=insecure_bind), log)


def serve_config(config: Config, *, insecure_bind: bool) -> ServeConfig:
    """Return what the serving process is told."""
    keys = config.slo
    refuse_open_bind(config.serve.bind, "serve.bind", insecure=insecure_bind)
    data = data_directory.resolve(config.data)
    embedded = config.store.url is None
    password = "" if embedded else _absolute(config.store.password_file)
    if not embedded and config.store.password and not password:
        raise ConfigurationError("store.password: serve reads it from a file; allowed: store.password_file")
    return ServeConfig(
        host=config.serve.bind,
        port=config.serve.port,
        objectives=tuple(map(_absolute, keys.objectives)),
        channels=_absolute(keys.channels),
        ledger=str(data.ledger),
        lease=_absolute(keys.lease),
        blind_policy=BlindPolicy(keys.blind_policy),
        replica=socket.gethostname(),
        store_url=access(config).url,
        reader="reader" if embedded else config.store.user,
        reader_password_file=str(store_secrets.secret_path(data.root, "reader")) if embedded else password,
        writer="writer" if embedded else config.store.user,
        writer_password_file=str(store_secrets.secret_path(data.root, "writer")) if embedded else password,
        rules=slo_rules.settings_of(config),
        policy=policy_keys.policy(keys.policy),
        hints=hints_keys.targets(config.hints),
        hints_file=_absolute(config.hints.targets),
        hints_usual=config.hints.usual,
        faces=hints_faces.faces(config.serve, insecure_bind=insecure_bind),
        grafana_url=config.serve.grafana_url or "",
    )


def _absolute(path: str | None) -> str:
    return str(Path(path).expanduser().absolute()) if path else ""
