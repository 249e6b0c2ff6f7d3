"""Officers and approvers at work: from a borrower who comes to the money that goes out, a step a day or so."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from lendlog.simulate import applying
from lendlog.simulate.borrowers import CURRENCY, Borrower
from lendlog.simulate.client import Client, Refused
from lendlog.simulate.people import Course, course
from lendlog.simulate.plan import Plan
from shared.events.terms import Terms
from shared.money import decimal_text

ORIGINATION = "origination"
BLOCKED = "disbursement-blocked"
TRIES = 20
"""Days on which a blocked disbursement is tried again before the borrower goes elsewhere."""
Step = Literal["submit", "review", "recommend", "decide", "offer", "answer", "pay-out"]


@dataclass(slots=True)
class Application:
    """One application on its way."""

    borrower: Borrower
    course: Course
    borrower_id: str
    application_id: str = ""
    step: Step = "submit"
    tries: int = 0
    reviewed: bool = False


@dataclass(slots=True)
class ApplicationsDesk:
    """All applications under way."""

    client: Client
    plan: Plan
    borrower_ids: dict[int, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    """Borrower id → number."""
    paid_out: int = 0
    _due: dict[date, list[Application]] = field(default_factory=dict)
    _open: int = 0

    @property
    def under_way(self) -> int:
        """Loans paid out, and applications that may still become one."""
        return self.paid_out + self._open

    async def work(self, day: date) -> None:
        """What is to be done today for those who came before, then those who come today."""
        begun = self._due.pop(day, [])
        came = self.plan.arrivals(day, self.under_way)
        self._open += len(came)
        await asyncio.gather(*(self._go_on(one, day) for one in begun), *(self._come(g, day) for g in _parties(came)))

    async def withdraw_consents(self, day: date) -> None:
        """Borrowers who take the consent to telemetry back."""
        for borrower in self.plan.withdrawals(day):
            body = {"purpose": "telemetry", "evidence": f"consents/{borrower.number}/telemetry/withdrawn"}
            path = f"/v1/parties/{self.borrower_ids[borrower.number]}/consents/telemetry/withdrawal"
            await self.client.post("officer", ORIGINATION, path, body, key=f"consent-{borrower.number}-withdrawn")

    async def _come(self, together: list[Borrower], day: date) -> None:
        """Borrowers register (members of a group together), and each applies."""
        ids = await asyncio.gather(*(self._register(borrower) for borrower in together))
        if len(together) > 1:
            key = f"group-{together[0].group}"
            await self.client.post("officer", ORIGINATION, "/v1/groups", {"members": list(ids)}, key=key)
        await asyncio.gather(*(self._apply(one, name, day) for one, name in zip(together, ids, strict=True)))

    async def _register(self, borrower: Borrower) -> str:
        key = f"party-{borrower.number}"
        body = applying.party(self.plan.seed, borrower)
        found = await self.client.post("officer", ORIGINATION, "/v1/parties", body, key=key)
        name = str(found["borrower_id"])
        self.borrower_ids[borrower.number], self.numbers[name] = name, borrower.number
        for consent in applying.consents(borrower):
            path, one = f"/v1/parties/{name}/consents", f"consent-{borrower.number}-{consent['purpose']}"
            await self.client.post("officer", ORIGINATION, path, consent, key=one)
        return name

    async def _apply(self, borrower: Borrower, name: str, day: date) -> None:
        application = Application(borrower, course(self.plan.seed, borrower), name)
        number, seed = borrower.number, self.plan.seed
        body = applying.request(borrower, day) | {"borrower_id": name}
        started = await self.client.post("officer", ORIGINATION, "/v1/applications", body, key=f"application-{number}")
        application.application_id = started["application_id"]
        figures = applying.statement(seed, borrower, self.plan.climate, day)
        await self._act(application, "statement", figures)
        for document in applying.documents(borrower, first_try=True):
            await self._act(application, "documents", document)
        if (security := applying.collateral(seed, borrower)) is not None:
            await self._act(application, "guarantees", security)
        await self._submit(application, day)

    async def _go_on(self, application: Application, day: date) -> None:
        match application.step:
            case "submit":
                for document in applying.documents(application.borrower, first_try=False):
                    await self._act(application, "documents", document)
                await self._submit(application, day)
            case "review":
                application.reviewed = True
                await self._act(application, "review", {"reason": "a person is to look at it"})
                self._later(application, "recommend", day, 1)
            case "recommend":
                word = {"verdict": application.course.recommends, "reason": "seen the business and the books"}
                await self._act(application, "recommendation", word)
                self._later(application, "decide", day, 1)
            case "decide":
                await self._decide(application, day)
            case "offer":
                await self._offer(application, day)
            case "answer":
                await self._answer(application, day)
            case "pay-out":
                await self._pay_out(application, day)

    async def _submit(self, application: Application, day: date) -> None:
        try:
            found = await self._act(application, "submission", {}, again=str(application.tries))
        except Refused as refused:
            if refused.rule != "documents-missing":
                raise
            self.client.refusals[refused.rule] += 1
            application.tries += 1
            self._later(application, "submit", day, 2)
            return
        match found["status"]:
            case "approved":
                await self._offer(application, day)
            case "referred":
                self._later(application, "recommend", day, 1)
            case _ if application.course.reviews:
                self._later(application, "review", day, 3)
            case _:
                self._ended()

    async def _decide(self, application: Application, day: date) -> None:
        course = application.course
        word = {
            "verdict": course.decides,
            "reason": "agreed" if course.decides == course.recommends else "seen otherwise",
        }
        found = await self._act(application, "decision", word, role=course.decider)
        if found["status"] == "approved":
            self._later(application, "offer", day, 1)
        else:
            self._ended()

    async def _offer(self, application: Application, day: date) -> None:
        try:
            await self._act(application, "offer", {})
        except Refused as refused:  # the rate's cap, or a first due date that has come too near meanwhile
            self.client.refusals[refused.rule] += 1
            await self._act(application, "withdrawal", {"reason": "the terms can't be offered any more"})
            self._ended()
            return
        if application.course.accepts_after is not None:
            self._later(application, "answer", day, application.course.accepts_after)
        else:
            if application.course.withdraws:
                await self._act(application, "withdrawal", {"reason": "found the money elsewhere"})
            self._ended()

    async def _answer(self, application: Application, day: date) -> None:
        path = f"/v1/applications/{application.application_id}/offer"
        shown = await self.client.get("officer", ORIGINATION, path)
        signed = f"archive/{application.borrower.number}/contract"
        await self._act(
            application,
            "acceptance",
            {"shown_sha256": shown["shown_sha256"], "method": "signature", "evidence": signed},
        )
        await self._pay_out(application, day)

    async def _pay_out(self, application: Application, day: date) -> None:
        try:
            paid = await self._act(application, "disbursement", {}, again=str(application.tries))
        except Refused as refused:
            self.client.refusals[refused.rule] += 1
            application.tries += 1
            if refused.rule == BLOCKED and application.tries < TRIES:
                self._later(application, "pay-out", day, 1)
            else:
                self._ended()
            return
        found = await self.client.get("officer", ORIGINATION, f"/v1/applications/{application.application_id}")
        terms = Terms.model_validate(found["loan"]["terms"])
        self.plan.paid_out(application.borrower, paid["loan_id"], terms, day)
        self.paid_out += 1
        self._ended()

    async def _act(
        self, application: Application, what: str, body: dict[str, Any], *, role: str = "officer", again: str = ""
    ) -> Any:
        """One command about an application; `again` tells a repeated one from the first."""
        kind = body.get("kind", "")
        key = f"{what}-{application.borrower.number}-{kind}-{again}"
        path = f"/v1/applications/{application.application_id}/{what}"
        return await self.client.post(role, ORIGINATION, path, body, key=key)

    def _later(self, application: Application, step: Step, day: date, days: int) -> None:
        application.step = step
        self._due.setdefault(day + timedelta(days=max(1, days)), []).append(application)

    def _ended(self) -> None:
        self._open -= 1


def _parties(borrowers: Iterable[Borrower]) -> list[list[Borrower]]:
    """Members of a group together, others by themselves."""
    found: dict[object, list[Borrower]] = {}
    for borrower in borrowers:
        key = ("alone", borrower.number) if borrower.group is None else ("group", borrower.group)
        found.setdefault(key, []).append(borrower)
    return list(found.values())


def amount_text(minor: int) -> str:
    """An amount as the APIs take it."""
    return decimal_text(minor, CURRENCY)
