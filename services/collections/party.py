"""What parties' events say of a borrower."""

from typing import Any

from services.collections.state import Borrower, Party
from shared.events import parties

EVENTS = (
    parties.PartyRegistered,
    parties.PartyAmended,
    parties.ConsentGiven,
    parties.ConsentWithdrawn,
    parties.FlagRaised,
    parties.FlagCleared,
    parties.PersonalDataErased,
)


def take_in(state: Borrower, event: Any) -> None:
    """Fold one event of `EVENTS`. After an erasure nobody knows how to treat the borrower: contact ends."""
    match event:
        case parties.PartyRegistered() | parties.PartyAmended():
            data = event.data
            state.party = Party(data.kind, data.language, data.time_zone, data.country, sorted(data.channels))
        case parties.ConsentGiven():
            state.consents = sorted({*state.consents, event.data.purpose})
        case parties.ConsentWithdrawn():
            state.consents = [purpose for purpose in state.consents if purpose != event.data.purpose]
        case parties.FlagRaised():
            state.flags = sorted({*state.flags, event.data.flag})
        case parties.FlagCleared():
            state.flags = [flag for flag in state.flags if flag != event.data.flag]
        case parties.PersonalDataErased():
            state.party, state.consents = None, []
