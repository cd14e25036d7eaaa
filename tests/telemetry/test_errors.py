import inspect

from telemetry import errors
from telemetry.errors import StoreError, StorePoisonError, TelemetryError


def test_every_error_has_the_rooms_root() -> None:
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]

    assert all(issubclass(item, TelemetryError) for item in classes)


def test_the_tree_in_the_docstring_names_every_error() -> None:
    drawn = errors.__doc__ or ""

    assert [name for name, _ in inspect.getmembers(errors, inspect.isclass) if name not in drawn] == []


def test_a_store_error_keeps_its_code_and_text() -> None:
    refused = StorePoisonError("cannot parse", code=27)

    assert (str(refused), refused.code) == ("cannot parse", 27)
    assert StoreError("no answer").code is None
