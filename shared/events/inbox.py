"""What an operator does about a borrower whom a service had to park; on that service's inbox, key = borrower id."""

from typing import Literal

from shared.events.envelope import Envelope
from shared.events.ledger import Release


class ParkedSubjectReleased(Envelope):
    """An operator let a parked borrower go on, from the first held offset of the inbox."""

    type: Literal["inbox.ParkedSubjectReleased.v1"] = "inbox.ParkedSubjectReleased.v1"
    data: Release
