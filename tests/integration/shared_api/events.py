"""Events for units of work to publish."""

from shared.events.envelope import new_event_id
from shared.events.ledger import Payment, PaymentReceived

TIME = "2024-01-31T12:00:00.000000Z"


def payment(subject: str, reference: str = "r", event_id: str | None = None) -> PaymentReceived:
    return PaymentReceived(
        id=event_id or new_event_id(),
        source="/test",
        subject=subject,
        time=TIME,
        data=Payment(amount="1.00", currency="EUR", reference=reference),
    )
