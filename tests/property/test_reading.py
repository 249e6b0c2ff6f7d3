"""The quick reading of a plain payment says nothing that the whole reading does not say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lendlog.histories import History
from services.ledger.engine.opening import in_minor_units
from services.ledger.reading import PlainPayment, read, read_to_fold
from shared.events.ledger import PaymentReceived, Receipt
from shared.streams.intake import NotUnderstood, Unreadable
from shared.streams.ports import Record

PLAIN = {
    "specversion": "1.0",
    "id": "01941f29-7c00-7abc-8abc-0123456789ab",
    "source": "/ledger-api",
    "type": "ledger.PaymentReceived.v1",
    "subject": "L0000001",
    "time": "2025-01-01T00:00:00Z",
    "datacontenttype": "application/json",
    "dataschema": "https://lendlog.dev/schemas/ledger.PaymentReceived.v1.json",
    "correlationid": "0af7651916cd43dd8448eb211c80319c",
    "causationid": "c1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "data": {"amount": "1250.00", "currency": "CZK", "reference": "FIO/2025-1"},
}
LESS = {name: value for name, value in PLAIN.items() if name not in ("dataschema", "causationid", "traceparent")}


def record(value: bytes, key: bytes | None = b"L0000001", headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record("t", 0, 7, 1, key, value, headers)


def wire(attributes: Any) -> bytes:
    return json.dumps(attributes, separators=(",", ":"), ensure_ascii=False).encode()


def outcome(reader: Callable[[Record], Any], one: Record) -> tuple[str, Any]:
    """What a reader gives or raises."""
    try:
        return "event", reader(one)
    except (Unreadable, NotUnderstood) as problem:
        return type(problem).__name__, str(problem)


def require_the_same(one: Record) -> None:
    """The quick reading is the whole reading, or the part of it that the fold looks at."""
    quick, whole = outcome(read_to_fold, one), outcome(read, one)
    if not isinstance(quick[1], PlainPayment):
        assert quick == whole
        return
    plain, event = quick[1], whole[1]
    assert isinstance(event, PaymentReceived)
    names = ("type", "id", "subject", "time", "correlationid", "traceparent", "effectivedate")
    assert [getattr(plain, name) for name in names] == [getattr(event, name) for name in names]
    assert (plain.amount, plain.currency) == in_minor_units(event.data.amount, event.data.currency)


AMOUNTS = ("", "0", "0.00", "00.5", "1.2.", "999999999999999.99", "1\n", "1²", "EUR", "JPY", "XXX", "czk", "é")
TIMES = ("2025-01-01", "2025-01-01T00:00:00.1234567890Z", "2025-01-01T00:00:00+02:00", "٢٠٢٥-01-01T00:00:00Z")
IDS = ("L0000001", "L" * 64, "L" * 65, "book", PLAIN["id"], str(PLAIN["id"]).upper(), "x" * 301)
VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=12),
    st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{0,5})?\Z"),
    st.sampled_from((*AMOUNTS, *TIMES, *IDS)),
)


@given(st.sampled_from((PLAIN, LESS)), st.sampled_from((*PLAIN, "effectivedate", "unknown")), VALUES)
def test_an_attribute_of_any_value(base: dict[str, Any], name: str, value: Any) -> None:
    require_the_same(record(wire(base | {name: value})))


@given(st.sampled_from(("amount", "currency", "reference", "unknown")), VALUES)
def test_a_fact_of_any_value(name: str, value: Any) -> None:
    require_the_same(record(wire(PLAIN | {"data": PLAIN["data"] | {name: value}})))  # type: ignore[operator]


RECEIPT = {"branch": "north", "number": "N/2025-17", "cashier": "Li Wei"}


@given(st.sampled_from(("branch", "number", "cashier", "unknown")), st.one_of(VALUES, st.text(max_size=120)))
@example("branch", "north-2")
@example("cashier", "x" * 101)
def test_a_receipt_of_any_value(name: str, value: Any) -> None:
    data = {"amount": "1250.00", "currency": "CZK", "receipt": RECEIPT | {name: value}}
    require_the_same(record(wire(PLAIN | {"data": data})))


@given(st.permutations(list(PLAIN)), st.integers(0, len(PLAIN)))
def test_attributes_in_any_order_or_absent(names: list[str], count: int) -> None:
    require_the_same(record(wire({name: PLAIN[name] for name in names[:count]})))


@given(st.integers(0, len(wire(PLAIN))), st.integers(0, 3), st.binary(max_size=3))
@example(len(wire(PLAIN)), 0, b"\n")
@example(0, 0, b"\xef\xbb\xbf")
def test_bytes_in_place_of_others(at: int, instead: int, written: bytes) -> None:
    value = wire(PLAIN)
    require_the_same(record(value[:at] + written + value[at + instead :]))


@pytest.mark.parametrize("key", [None, b"", b"L0000002", b"L0000001"])
@pytest.mark.parametrize("headers", [(), (("ce_id", b"1"),), (("trace", b"1"),)])
def test_key_and_headers(key: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> None:
    require_the_same(record(wire(PLAIN), key, headers))


def test_what_our_writers_put_is_known_by_sight() -> None:
    payment = PaymentReceived.model_validate_json(wire(PLAIN))
    assert isinstance(read_to_fold(record(payment.to_json())), PlainPayment)
    assert isinstance(read_to_fold(record(wire(LESS))), PlainPayment)
    cash = payment.model_copy(update={"data": payment.data.model_copy(update={"receipt": Receipt(**RECEIPT)})})
    assert isinstance(read_to_fold(record(cash.to_json())), PlainPayment)
    histories = [one for one in History(seed=1, loans=20, days=60).records() if one.value is not None]
    payments = [one for one in histories if b"PaymentReceived" in (one.value or b"")]
    assert payments
    for one in histories:
        assert one.value is not None
        event = read_to_fold(record(one.value, one.key))
        assert isinstance(event, PlainPayment) == (one in payments)
        require_the_same(record(one.value, one.key))


@pytest.mark.parametrize(("amount", "code"), [("0.00", "CZK"), ("1.001", "CZK"), ("1", "XXX")])
def test_an_amount_that_cannot_be_booked_is_left_to_the_fold(amount: str, code: str) -> None:
    one = record(wire(PLAIN | {"data": {"amount": amount, "currency": code}}))
    assert isinstance(read_to_fold(one), PaymentReceived)
