"""Knows what KEDA's external scaler asks and is answered, as messages and bytes; refuses to know gRPC.

Written by hand, because the messages are few: field numbers are those of externalscaler.proto. KEDA takes the float of
a value only if it is above 0, so both fields are filled; the whole one is rounded up.

The metric of a target is told whatever is known of it, so that an autoscaler made while nothing is known has one. A
value and whether the target is active are told only while its hint may be acted upon: what is unknown is an error,
never "not active".

Source: kedacore/keda pkg/scalers/externalscaler/externalscaler.proto at 125494be (package externalscaler, service
ExternalScaler); pkg/scalers/external_scaler.go at 067b4c60 (what KEDA sends and how it reads the answers);
spec/scaling.md 3, 4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from slo.scaling.faces.external_metrics import DESIRED
from slo.scaling.faces.moment import Moment, Policy, moment
from slo.scaling.freshness import Transport
from slo.scaling.served import HintDesk
from telemetry.protobuf import double, fields, message, number, text

SERVICE = "externalscaler.ExternalScaler"
METADATA_MAX = 64
"""Most entries of a trigger's metadata that are read."""
TARGET_SIZE = 1
"""Target of the metric: with type AverageValue the number passes through."""


class Code(StrEnum):
    """Why there is no answer; each is the name of a status of gRPC."""

    UNAVAILABLE = "UNAVAILABLE"
    NOT_FOUND = "NOT_FOUND"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"


class ScalerError(Exception):
    """A question that is not answered.

    Attributes:
        code: Why.
        detail: In one line.
    """

    def __init__(self, code: Code, detail: str) -> None:
        """Keep what is to be told."""
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """The ScaledObject that asks.

    Attributes:
        name: Its name.
        namespace: Where it lives.
        metadata: What its trigger says: target, policy.
    """

    name: str = ""
    namespace: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def target(self) -> str:
        """The target that is meant.

        Raises:
            ScalerError: None is named.
        """
        found = self.metadata.get("target", "")
        if not found:
            raise ScalerError(Code.INVALID_ARGUMENT, "metadata.target: found none; allowed: the name of a target")
        return found

    @property
    def policy(self) -> Policy:
        """Who steadies the number.

        Raises:
            ScalerError: There is no such policy.
        """
        found = self.metadata.get("policy", Policy.DESIRED)
        if found not in set(Policy):
            raise ScalerError(Code.INVALID_ARGUMENT, f"metadata.policy: found {found!r}; allowed: {', '.join(Policy)}")
        return Policy(found)


def object_ref(encoded: bytes) -> ObjectRef:
    """Return a ScaledObjectRef.

    Raises:
        ValueError: It is none.
    """
    texts = {1: "", 2: ""}
    metadata: dict[str, str] = {}
    for place, value in fields(encoded):
        if place in texts:
            texts[place] = _text_of(value)
        elif place == 3:  # noqa: PLR2004 -- scalerMetadata
            pair = {1: "", 2: ""} | {key: _text_of(part) for key, part in fields(_bytes_of(value))}
            metadata[pair[1]] = pair[2]
            if len(metadata) > METADATA_MAX:
                raise ValueError(f"metadata has more than {METADATA_MAX} entries")
    return ObjectRef(name=texts[1], namespace=texts[2], metadata=metadata)


def metrics_request(encoded: bytes) -> tuple[ObjectRef, str]:
    """Return who asks for a metric, and its name.

    Raises:
        ValueError: They are no GetMetricsRequest.
    """
    ref, name = ObjectRef(), ""
    for place, value in fields(encoded):
        if place == 1:
            ref = object_ref(_bytes_of(value))
        elif place == 2:  # noqa: PLR2004 -- metricName
            name = _text_of(value)
    return ref, name


def is_active(desk: HintDesk, now_unix_s: float, ref: ObjectRef) -> bool:
    """Return whether a target is to have any replica.

    Raises:
        ScalerError: It is unknown, or nothing is known of it.
    """
    return _replicas(desk, now_unix_s, ref) > 0


def metric_specs(desk: HintDesk, ref: ObjectRef) -> bytes:
    """Return a GetMetricSpecResponse.

    Raises:
        ScalerError: There is no such target or policy.
    """
    if ref.target not in desk.names():
        raise _unknown(ref.target)
    _ = ref.policy
    spec = text(1, DESIRED) + number(2, TARGET_SIZE) + double(3, TARGET_SIZE)
    return message(1, spec)


def metric_values(desk: HintDesk, now_unix_s: float, ref: ObjectRef, metric: str) -> bytes:
    """Return a GetMetricsResponse.

    Raises:
        ScalerError: Target or metric are unknown, or nothing is known of the target.
    """
    if metric != DESIRED:
        raise ScalerError(Code.NOT_FOUND, f"metricName: found {metric[:100]!r}; allowed: {DESIRED}")
    replicas = _replicas(desk, now_unix_s, ref)
    return message(1, text(1, metric) + number(2, math.ceil(replicas)) + double(3, replicas))


def active_answer(active: bool) -> bytes:  # noqa: FBT001 - a fact, not a switch
    """Return an IsActiveResponse."""
    return number(1, int(active))


def _replicas(desk: HintDesk, now_unix_s: float, ref: ObjectRef) -> float:
    policy, now = ref.policy, moment(desk, ref.target, now_unix_s)
    replicas = now.replicas(Transport.GRPC, policy)
    if replicas is None:
        raise _refused(ref.target, now)
    return replicas


def _refused(target: str, now: Moment) -> ScalerError:
    status = now.answer(Transport.GRPC).status
    if status == Code.NOT_FOUND:
        return _unknown(target)
    return ScalerError(Code.UNAVAILABLE, f"target {target[:100]}: no hint that may be acted upon ({now.standing})")


def _unknown(target: str) -> ScalerError:
    return ScalerError(Code.NOT_FOUND, f"there is no target {target[:100]!r}, or it was never seen")


def _bytes_of(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where text or a message is to stand")  # noqa: TRY004 -- bytes, not our types
    return value


def _text_of(value: int | bytes) -> str:
    return _bytes_of(value).decode()
