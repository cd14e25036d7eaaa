"""What is refused before an engine is asked; the orders themselves are given to real stores in test_store_backup and
test_store_prune.
"""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from inferometer import store_orders
from inferometer.errors import ConfigurationError
from inferometer.rebuild import Span
from inferometer.store_control import Order

if TYPE_CHECKING:
    from inferometer.store_engine import Engine

NONE = cast("Engine", None)  # it is not reached


@pytest.mark.parametrize(
    ("order", "words"),
    [
        pytest.param({}, "does not know that order", id="nothing"),
        pytest.param({"order": "drop", "table": "requests"}, "does not know that order", id="half an order"),
        pytest.param({"order": "drop", "table": "requests", "partitions": 1}, "not know that order", id="no list"),
        pytest.param(store_orders.drop("system.parts", ["all"]), "is none of the store's", id="a foreign table"),
        pytest.param(
            store_orders.drop("requests", ["1"] * (store_orders.PARTITIONS_MAX + 1)),
            "allowed are 1000",
            id="too many partitions",
        ),
        pytest.param(store_orders.repair(Span(since_s=0, until_s=3601)), "not made of whole hours", id="a part of one"),
        pytest.param(store_orders.repair(Span(since_s=3600, until_s=3600)), "not made of whole hours", id="none"),
    ],
)
def test_what_is_no_order_of_ours_is_refused(order: Order, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        store_orders.carry_out(NONE, order)


def test_an_order_travels_as_json_does() -> None:
    assert {"order": "backup", "archive": "/x"} == store_orders.backup(Path("/x"))
