"""What KEDA's external scaler asks and is answered, against a real protobuf decoder made from externalscaler.proto."""

from typing import Any

import msgspec
import pytest
from face_rig import HINTS, NAME, NOW_S, Desk, desk, served
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from slo.scaling.faces.external_metrics import DESIRED
from slo.scaling.faces.external_scaler import (
    METADATA_MAX,
    Code,
    ObjectRef,
    ScalerError,
    active_answer,
    is_active,
    metric_specs,
    metric_values,
    metrics_request,
    object_ref,
)
from slo.scaling.faces.moment import Policy
from slo.scaling.freshness import Standing

FIELD = descriptor_pb2.FieldDescriptorProto
# name, number, type, repeated; a type that is a text is a message. From externalscaler.proto at 125494be.
MESSAGES: dict[str, list[tuple[str, int, Any, bool]]] = {
    "Pair": [("key", 1, FIELD.TYPE_STRING, False), ("value", 2, FIELD.TYPE_STRING, False)],
    "ScaledObjectRef": [
        ("name", 1, FIELD.TYPE_STRING, False),
        ("namespace", 2, FIELD.TYPE_STRING, False),
        ("scalerMetadata", 3, "Pair", True),  # a map is a repeated message of key and value on the wire
    ],
    "IsActiveResponse": [("result", 1, FIELD.TYPE_BOOL, False)],
    "MetricSpec": [
        ("metricName", 1, FIELD.TYPE_STRING, False),
        ("targetSize", 2, FIELD.TYPE_INT64, False),
        ("targetSizeFloat", 3, FIELD.TYPE_DOUBLE, False),
    ],
    "GetMetricSpecResponse": [("metricSpecs", 1, "MetricSpec", True)],
    "GetMetricsRequest": [
        ("scaledObjectRef", 1, "ScaledObjectRef", False),
        ("metricName", 2, FIELD.TYPE_STRING, False),
    ],
    "MetricValue": [
        ("metricName", 1, FIELD.TYPE_STRING, False),
        ("metricValue", 2, FIELD.TYPE_INT64, False),
        ("metricValueFloat", 3, FIELD.TYPE_DOUBLE, False),
    ],
    "GetMetricsResponse": [("metricValues", 1, "MetricValue", True)],
}
REF = ObjectRef(name="so", namespace="prod", metadata={"target": NAME, "scalerAddress": "x:1"})
FRESH, _ = desk(Standing.FRESH)


def classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="externalscaler.proto", package="externalscaler", syntax="proto3")
    for name, of in MESSAGES.items():
        message = file.message_type.add(name=name)
        for label, number, kind, repeated in of:
            field = message.field.add(name=label, number=number)
            field.label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            if isinstance(kind, str):
                field.type, field.type_name = FIELD.TYPE_MESSAGE, f".externalscaler.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[no-untyped-call,unused-ignore]  # the library has no types
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"externalscaler.{name}")) for name in MESSAGES
    }


PB = classes()


def sent(**metadata: str) -> bytes:
    pairs = [PB["Pair"](key=key, value=value) for key, value in metadata.items()]
    return PB["ScaledObjectRef"](name="so", namespace="prod", scalerMetadata=pairs).SerializeToString()


def test_what_keda_sends_is_read() -> None:
    ref = PB["ScaledObjectRef"].FromString(sent(target=NAME, scalerAddress="x:1"))
    request = PB["GetMetricsRequest"](scaledObjectRef=ref, metricName=DESIRED).SerializeToString()

    assert object_ref(sent(target=NAME, scalerAddress="x:1")) == REF
    assert (REF, DESIRED) == metrics_request(request)
    assert ObjectRef() == object_ref(b"")


def test_what_is_answered_is_read_by_a_real_decoder() -> None:
    (spec,) = PB["GetMetricSpecResponse"].FromString(metric_specs(FRESH, REF)).metricSpecs
    (value,) = PB["GetMetricsResponse"].FromString(metric_values(FRESH, NOW_S, REF, DESIRED)).metricValues

    assert (DESIRED, 1, 1.0) == (spec.metricName, spec.targetSize, spec.targetSizeFloat)
    assert (DESIRED, 6, 6.0) == (value.metricName, value.metricValue, value.metricValueFloat)
    assert PB["IsActiveResponse"].FromString(active_answer(True)).result
    assert not PB["IsActiveResponse"].FromString(active_answer(False)).result


def test_raw_fills_both_fields_and_the_whole_one_is_rounded_up() -> None:
    raw = ObjectRef(metadata={"target": NAME, "policy": "raw"})
    (value,) = PB["GetMetricsResponse"].FromString(metric_values(FRESH, NOW_S, raw, DESIRED)).metricValues

    assert (6, pytest.approx(5.48, abs=0.01)) == (value.metricValue, value.metricValueFloat)


@pytest.mark.parametrize("standing", [Standing.STALE, Standing.UNREACHABLE])
def test_without_data_the_metric_is_there_and_its_value_is_not(standing: Standing) -> None:
    of, now_s = desk(standing)

    assert metric_specs(FRESH, REF) == metric_specs(of, REF)
    for ask in (lambda: metric_values(of, now_s, REF, DESIRED), lambda: is_active(of, now_s, REF)):
        with pytest.raises(ScalerError, match="may be acted upon") as caught:
            ask()
        assert Code.UNAVAILABLE is caught.value.code


@pytest.mark.parametrize(
    ("ref", "metric", "code", "said"),
    [
        pytest.param(ObjectRef(), DESIRED, Code.INVALID_ARGUMENT, "metadata.target: found none", id="no target"),
        pytest.param(
            ObjectRef(metadata={"target": NAME, "policy": "x"}),
            DESIRED,
            Code.INVALID_ARGUMENT,
            "metadata.policy: found 'x'; allowed: desired, raw",
            id="no such policy",
        ),
        pytest.param(REF, "s0-other", Code.NOT_FOUND, "metricName: found 's0-other'", id="no such metric"),
        pytest.param(
            ObjectRef(metadata={"target": "b"}), DESIRED, Code.NOT_FOUND, "there is no target 'b'", id="no such target"
        ),
    ],
)
def test_what_is_wrong_is_said(ref: ObjectRef, metric: str, code: Code, said: str) -> None:
    with pytest.raises(ScalerError, match=said) as caught:
        metric_values(FRESH, NOW_S, ref, metric)

    assert code is caught.value.code


def test_a_metric_needs_a_target_that_is_configured() -> None:
    with pytest.raises(ScalerError, match="no target"):
        metric_specs(Desk(), REF)
    with pytest.raises(ScalerError, match=r"metadata\.policy"):
        metric_specs(FRESH, ObjectRef(metadata={"target": NAME, "policy": "x"}))


def test_a_target_that_is_to_be_empty_is_not_active() -> None:

    fresh = HINTS[Standing.FRESH]
    empty = msgspec.structs.replace(fresh, replicas=msgspec.structs.replace(fresh.replicas, desired=0))
    of = Desk(hints={NAME: served(empty)})
    (value,) = PB["GetMetricsResponse"].FromString(metric_values(of, NOW_S, REF, DESIRED)).metricValues

    assert (False, 0, 0.0) == (is_active(of, NOW_S, REF), value.metricValue, value.metricValueFloat)


@pytest.mark.parametrize("encoded", [b"\x0a\x05a", b"\x08\x01", b"\x1a\x02\x08\x01", b"\x0a\x01\xff"])
def test_bytes_that_are_no_message_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- what is wrong differs
        object_ref(encoded)


def test_metadata_has_an_end() -> None:
    most = {f"k{number}": "v" for number in range(METADATA_MAX)}

    assert METADATA_MAX == len(object_ref(sent(**most)).metadata)
    with pytest.raises(ValueError, match="more than"):
        object_ref(sent(**most, more="v"))
    assert [*Policy] == [Policy.DESIRED, Policy.RAW]
