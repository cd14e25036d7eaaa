from telemetry.errors import TelemetryError
from telemetry.fetch_error import Fault, FetchError


def test_a_fetch_error_says_its_kind_and_belongs_to_the_room() -> None:
    error = FetchError(Fault.DNS, "no address")

    assert isinstance(error, TelemetryError)
    assert (Fault.DNS, "no address") == (error.kind, str(error))
