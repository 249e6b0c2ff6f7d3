"""Routes about borrowers. Personal data comes in and goes out here alone."""

import uuid
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import JSONResponse

from services.origination.api.bodies import (
    ConsentBody,
    Empty,
    FlagBody,
    GroupBody,
    NewParty,
    PartyFields,
    RelationBody,
)
from services.origination.api.serving import Calling, Work, about_borrower, borrower_key, guard_of, known, stamp_of
from services.origination.bank_account import AccountPurpose, BankAccount
from services.origination.commands import parties
from services.origination.commands.parties import BorrowerGuard
from services.origination.personal import Personal
from services.origination.vault import Vault
from shared.api import Body, Route
from shared.errors import Refusal
from shared.events.collections import ContactPurpose
from shared.events.parties import Channel, Consent, Flag, Party, Purpose, Relation
from shared.topics import PARTIES


class NoSuchAddress(Refusal):
    """The vault holds no address of the borrower for this channel."""

    status = 404


class NoAccount(Refusal):
    """The vault holds no bank account of the borrower."""

    status = 404


class Redacted(Body):
    """A body whose personal part is replaced by a keyed hash: what an idempotency key's request stands for."""

    party: PartyFields | None
    personal: str


async def register(call: Calling, body: NewParty) -> JSONResponse:
    """Register a borrower: the random id goes everywhere, the personal data into the vault."""
    services, borrower_id = call.services, str(uuid.uuid4())
    once = call.once(_redacted(services.vault, body.party, body.personal))
    key = borrower_key(borrower_id)
    async with services.commands.unit(key, once=once, correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            party = _party(body.party, body.personal)
            events = parties.register(borrower_id, party, stamp=stamp_of(call, unit))
            await services.vault.write(unit.connection, borrower_id, body.personal)
            unit.publish(services.prefix + PARTIES.name, events[0])
            unit.keep(key, BorrowerGuard(party=party).model_dump(mode="json"))
            unit.answer({"borrower_id": borrower_id, "event_ids": [events[0].id]})
    assert unit.document is not None
    return call.accepted(unit, place=f"/v1/parties/{unit.document['borrower_id']}")


async def show(call: Calling, borrower_id: str) -> dict[str, Any]:
    """A borrower without personal data."""
    guard = await guard_of(call, borrower_id)
    return {"borrower_id": borrower_id} | guard.model_dump(mode="json", exclude={"commitments"})


async def amend(call: Calling, borrower_id: str, body: PartyFields) -> JSONResponse:
    """Change how a borrower is treated."""
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            party = Party(**body.model_dump(), channels=work.guard.party.channels)
            _record(work, parties.amend(borrower_id, work.guard, party, stamp=stamp_of(call, unit)))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def personal(call: Calling, borrower_id: str, purpose: Annotated[str, Query(max_length=100)]) -> dict[str, Any]:
    """Everything personal; the reading is noted."""
    call.own(borrower_id)
    async with call.services.api.acquire() as connection:
        found = await call.services.vault.read(connection, borrower_id, caller=call.caller, what="all", purpose=purpose)
    return found.model_dump(mode="json")


async def replace_personal(call: Calling, borrower_id: str, body: Personal) -> JSONResponse:
    """Put other personal data in the place of what is there."""
    once = call.once(_redacted(call.services.vault, None, body))
    async with about_borrower(call, borrower_id, once=once) as (unit, work):
        if work is not None:
            parties.require_known(work.guard)
            await call.services.vault.write(unit.connection, borrower_id, body)
            party = work.guard.party.model_copy(update={"channels": body.contacts.channels()})
            _record(work, parties.amend(borrower_id, work.guard, party, stamp=stamp_of(call, unit)))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def contact(call: Calling, borrower_id: str, channel: Channel, purpose: ContactPurpose) -> dict[str, str]:
    """An address at the moment of sending, and the name to write to; the reading is noted."""
    async with call.services.api.acquire() as connection:
        found = await call.services.vault.read(
            connection, borrower_id, caller=call.caller, what=channel, purpose=purpose
        )
    address = getattr(found.contacts, channel)
    if address is None:
        raise NoSuchAddress(f"There is no address for {channel}.", field="channel")
    return {"borrower_id": borrower_id, "channel": channel, "address": address, "name": found.name}


async def account(call: Calling, borrower_id: str, purpose: AccountPurpose) -> dict[str, Any]:
    """The account at the moment of paying out to it or drawing on it; the reading is noted."""
    async with call.services.api.acquire() as connection:
        found = await call.services.vault.read(
            connection, borrower_id, caller=call.caller, what="account", purpose=purpose
        )
    if found.account is None:
        raise NoAccount("The vault holds no account of the borrower.", field="borrower_id")
    return {"borrower_id": borrower_id} | found.account.model_dump()


async def replace_account(call: Calling, borrower_id: str, body: BankAccount) -> JSONResponse:
    """Put an account in the place of what is there. No event tells of it; who did it is noted as a reading."""
    async with about_borrower(call, borrower_id, once=call.once(_redacted(call.services.vault, None, body))) as (
        unit,
        work,
    ):
        if work is not None:
            parties.require_known(work.guard)
            vault = call.services.vault
            held = await vault.read(
                unit.connection, borrower_id, caller=call.caller, what="account", purpose="replacement"
            )
            await vault.write(unit.connection, borrower_id, held.model_copy(update={"account": body}))
            _record(work, [])
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def readings(call: Calling, borrower_id: str) -> dict[str, Any]:
    """Who read the borrower's personal data, the latest first."""
    call.own(borrower_id)
    rows = await call.services.api.fetch(_READINGS, borrower_id)
    return {"readings": [dict(row) | {"read_at": row["read_at"].isoformat()} for row in rows]}


async def give_consent(call: Calling, borrower_id: str, body: ConsentBody) -> JSONResponse:
    """Note a consent."""
    call.own(borrower_id)
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            consent = Consent(purpose=body.purpose, evidence=body.evidence)
            _record(work, parties.give_consent(borrower_id, work.guard, consent, stamp=stamp_of(call, unit)))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def withdraw_consent(call: Calling, borrower_id: str, purpose: Purpose, body: ConsentBody) -> JSONResponse:
    """Note that a consent was taken back; the body repeats the purpose and names the proof."""
    call.own(borrower_id)
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            consent = Consent(purpose=purpose, evidence=body.evidence)
            _record(work, parties.withdraw_consent(borrower_id, work.guard, consent, stamp=stamp_of(call, unit)))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def state_relation(call: Calling, borrower_id: str, body: RelationBody) -> JSONResponse:
    """Note that another borrower stands by."""
    async with about_borrower(call, borrower_id, once=call.once(body), reading=[borrower_key(body.other)]) as (
        unit,
        work,
    ):
        if work is not None:
            relation = Relation(**body.model_dump())
            events = parties.state_relation(borrower_id, work.guard, relation, stamp=stamp_of(call, unit))
            known(unit.state(borrower_key(body.other)), body.other)
            _record(work, events)
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def end_relation(call: Calling, borrower_id: str, body: RelationBody) -> JSONResponse:
    """Note that another no longer stands by."""
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            relation = Relation(**body.model_dump())
            _record(work, parties.end_relation(borrower_id, work.guard, relation, stamp=stamp_of(call, unit)))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def form_group(call: Calling, body: GroupBody) -> JSONResponse:
    """Let every member stand by every other; the group gets an id."""
    services, members = call.services, sorted(set(body.members))
    keys = {member: borrower_key(member) for member in members}
    async with services.commands.unit(*keys.values(), once=call.once(body), correlation_id=call.correlation_id) as unit:
        if unit.answered is None:
            group = str(uuid.uuid4())
            guards = {member: known(unit.state(key), member) for member, key in keys.items()}
            for member, events in parties.form_group(guards, group=group, stamp=stamp_of(call, unit)).items():
                Work(call, unit, member, guards[member]).publish_parties(events)
            unit.answer({"group": group, "members": members})
    return call.accepted(unit)


async def raise_flag(call: Calling, borrower_id: str, body: FlagBody) -> JSONResponse:
    """Note a circumstance."""
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            stamp = stamp_of(call, unit)
            _record(work, parties.raise_flag(borrower_id, work.guard, body.flag, by=call.caller.name, stamp=stamp))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def clear_flag(call: Calling, borrower_id: str, flag: Flag, body: Empty) -> JSONResponse:
    """Note that a circumstance no longer holds."""
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            stamp = stamp_of(call, unit)
            _record(work, parties.clear_flag(borrower_id, work.guard, flag, by=call.caller.name, stamp=stamp))
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


async def erase(call: Calling, borrower_id: str, body: Empty) -> JSONResponse:
    """Destroy the key of the borrower's personal data; refused while loans are open or an offer stands."""
    async with about_borrower(call, borrower_id, once=call.once(body)) as (unit, work):
        if work is not None:
            seen = await call.services.seen(borrower_id, work.guard)
            bound = [one.loan_id or "an offer" for one in seen.bound(work.guard)]
            events = parties.erase(
                borrower_id,
                work.guard,
                open_loans=[*seen.open_loans(), *bound],
                by=call.caller.name,
                stamp=stamp_of(call, unit),
            )
            await call.services.vault.erase(unit.connection, borrower_id)
            _record(work, events)
    return call.accepted(unit, place=f"/v1/parties/{borrower_id}")


def _record(work: Work, events: list[Any]) -> None:
    work.publish_parties(events)
    work.unit.answer({"borrower_id": work.borrower_id, "event_ids": [event.id for event in events]})


def _party(fields: PartyFields, of: Personal) -> Party:
    return Party(**fields.model_dump(), channels=of.contacts.channels())


def _redacted(vault: Vault, party: PartyFields | None, of: BaseModel) -> Redacted:
    return Redacted(party=party, personal=vault.fingerprint(of))


_READINGS = """
SELECT read_at, reader, role, what, purpose, found FROM vault_reading WHERE borrower_id = $1
ORDER BY reading_id DESC LIMIT 1000
"""
_ONE = "/v1/parties/{borrower_id}"
ROUTES: tuple[Route, ...] = (
    ("POST", "/v1/parties", register),
    ("GET", _ONE, show),
    ("PUT", _ONE, amend),
    ("GET", f"{_ONE}/personal", personal),
    ("PUT", f"{_ONE}/personal", replace_personal),
    ("GET", f"{_ONE}/contact/{{channel}}", contact),
    ("GET", f"{_ONE}/account", account),
    ("PUT", f"{_ONE}/account", replace_account),
    ("GET", f"{_ONE}/readings", readings),
    ("POST", f"{_ONE}/consents", give_consent),
    ("POST", f"{_ONE}/consents/{{purpose}}/withdrawal", withdraw_consent),
    ("POST", f"{_ONE}/relations", state_relation),
    ("POST", f"{_ONE}/relations/end", end_relation),
    ("POST", f"{_ONE}/flags", raise_flag),
    ("POST", f"{_ONE}/flags/{{flag}}/clearing", clear_flag),
    ("POST", f"{_ONE}/erasure", erase),
    ("POST", "/v1/groups", form_group),
)
