"""Knows which manifest is asked for, of a target that is configured or not; refuses to apply it.

What is not said comes from the file of targets, if it names the target, and else from what is usual.

Source: spec/scaling.md 4; `slo.scaling.manifests`.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inferometer import hints_keys
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from slo.scaling.manifests import Kind, Wanted, manifest
from slo.scaling.settings import Settings


def run(config: Config, target: str, kind: str, said: Mapping[str, Any]) -> int:
    """Print the manifest of a target; returns the exit code.

    Args:
        config: The configuration.
        target: Name of the target.
        kind: Way to follow it.
        said: Fields of `Wanted` by name; None leaves one to the configuration.

    Raises:
        ConfigurationError: There is no such way, or something cannot stand in a manifest.
    """
    if kind not in set(Kind):
        raise ConfigurationError(f"--kind: found {kind!r}; allowed: {', '.join(Kind)}")
    told = {name: value for name, value in said.items() if value is not None}
    try:
        sys.stdout.write(manifest(Kind(kind), replace(_usual(config, target), **told)))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return 0


def wanted(of: Settings) -> Wanted:
    """Return what a manifest of a configured target is made for."""
    usual = Wanted(target=of.target.name)
    return replace(
        usual,
        namespace=of.target.namespace or usual.namespace,
        replicas_min=of.replicas_min,
        replicas_max=of.replicas_max,
    )


def followed(policy: str, by: Wanted) -> str | None:
    """Return what a cluster applies for a policy; None unless it is ours, which alone has hints to follow.

    Raises:
        ValueError: Something cannot stand in a manifest.
    """
    return manifest(Kind.KEDA, by) if policy == "ours" else None


def _usual(config: Config, target: str) -> Wanted:
    configured = hints_keys.targets(config.hints) if config.hints.targets else ()
    settings = next((one.settings for one in configured if one.name == target), None)
    return Wanted(target=target) if settings is None else wanted(settings)
