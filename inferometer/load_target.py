"""Knows how a target is reached before it is loaded: it may be, it answers, and which model it has; refuses to load it.

Source: spec/loadtest.md 1 (exit code 5), safety in its head (allowed targets).
"""

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from inferometer.address import Address
from inferometer.ask import Answer, get
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.load_guard import key_headers
from loadtest.errors import TargetError
from loadtest.line import addresses
from loadtest.target import Target, must_be_allowed, target

_OK = 200


def reached(url: str, allowed: tuple[str, ...]) -> Target:
    """Return the target, which may be loaded and answers.

    Raises:
        ConfigurationError: It is none, or may not be loaded.
        UnreachableError: Nobody answers.
    """
    try:
        where = target(url)
        found = addresses(where.place.host, where.place.port)
        must_be_allowed(where, [ip_address(place[0]) for _, place in found], allowed)
    except TargetError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        raise UnreachableError(f"{url}: {error.strerror}") from None
    try:
        _models(where, {})
    except OSError as error:
        raise UnreachableError(f"{url} does not answer: {error.strerror or error}") from None
    return where


def first_model(where: Target, key_file: str | None = None) -> str:
    """Return the model that a target lists first.

    Args:
        where: The target.
        key_file: File with its API key; None without one.

    Raises:
        ConfigurationError: It lists none, or the key cannot be read.
    """
    headers = key_headers(key_file)
    try:
        answer = _models(where, headers)
        told: dict[str, Any] = json.loads(answer.body) if answer.status == _OK else {}
        return str(told["data"][0]["id"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigurationError("the target does not list its models: name one with --model") from None


def _models(where: Target, headers: Mapping[str, str]) -> Answer:
    """Ask for the models, which every engine lists."""
    address = Address(host=where.place.host, port=where.place.port)
    return get(address, f"{where.base}/v1/models", headers=headers, is_secure=where.place.scheme == "https")
