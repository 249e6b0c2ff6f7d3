"""What an operator does about a borrower whom a service had to park; on that service's inbox, key = borrower id."""

from typing import Literal

from shared.events.envelope import Envelope
from shared.events.ledger import Release
from shared.events.monitoring import Name


class SubjectRelease(Release):
    """As a loan's, and who released: the holder of a token, or `command line`."""

    by: Name | None = None


class ParkedSubjectReleased(Envelope):
    """An operator let a parked borrower go on, from the first held offset of the inbox."""

    type: Literal["inbox.ParkedSubjectReleased.v1"] = "inbox.ParkedSubjectReleased.v1"
    data: SubjectRelease
