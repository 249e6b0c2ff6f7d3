"""The risk desk and the collectors, each morning, on what the services made of the date before."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from lendlog.simulate.applications_desk import amount_text
from lendlog.simulate.borrowers import CURRENCY
from lendlog.simulate.client import Client, Refused
from lendlog.simulate.paying import Account
from lendlog.simulate.people import ALERTS_A_DAY, CASES_A_DAY, on_alert, on_case
from lendlog.simulate.plan import Plan
from shared.money import minor_units

MONITORING, COLLECTIONS = "monitoring", "collections"
MORNING = "T10:00:00+08:00"
"""When reminders go out and collectors call, on the borrowers' clocks."""
NOT_CALLED_DAYS, STOPPED_DAYS = 5, 30
"""When a case is looked at again whose borrower may not be called, and one that was stopped."""
PERSON = "Lin Yue"
"""Who lifts blocks, by name."""


@dataclass(slots=True)
class Reminders:
    """What came of the reminders. A pass comes upon one again each morning until it is sent or its days are over."""

    due: int = 0
    """Each once, on its first day."""
    passes: Counter[str] = field(default_factory=Counter)
    """Added up over all passes; `sent` and `unclear` happen to a reminder at most once."""
    without_channel: int = 0
    """Of what the passes came upon: what was denied since there is no channel."""
    addressed: bool = False
    """Whether one was due to somebody who has an e-mail address."""

    def add(self, done: dict[str, Any]) -> None:
        """A pass, as it answers."""
        self.passes.update({name: done[name] for name in ("due", "sent", "failed", "unclear")})
        self.without_channel += done["denied"].get("no-channel", 0)

    def document(self) -> dict[str, Any]:
        """As it stands in the summary: due = sent + unclear + not_sent; a failed attempt is made again the next day.

        Nothing is set up to send e-mail where even those who have an address had no channel.
        """
        if self.addressed and self.without_channel == self.passes["due"]:
            return {"due": self.due, "channel": "none configured"}
        sent, unclear = self.passes["sent"], self.passes["unclear"]
        ended = {"sent": sent, "unclear": unclear, "not_sent": self.due - sent - unclear}
        return {"due": self.due, **ended, "failed_attempts": self.passes["failed"]}


@dataclass(slots=True)
class WatchDesks:
    """What people do about alerts and cases."""

    client: Client
    plan: Plan
    numbers: dict[str, int]
    newly_due: Callable[[date], Awaitable[list[str]]]
    """To whom reminders are due for the first time on a date: a borrower id for each."""
    reminders: Reminders = field(default_factory=Reminders)

    async def work(self, day: date) -> None:
        """The morning of a date."""
        await asyncio.gather(self._alerts(day), self._remind(day))
        await self._cases(day)

    async def _alerts(self, day: date) -> None:
        found = await self.client.get("risk", MONITORING, "/v1/alerts", limit="500")
        acts = []
        for alert in found["alerts"]:
            number, raised = self.numbers.get(alert["borrower_id"]), date.fromisoformat(alert["raised_on"])
            if number is None:
                continue
            act = on_alert(
                self.plan.seed,
                number,
                indicator=alert["indicator"],
                severity=alert["severity"],
                blocks=alert["blocks"],
                age=max(0, (day - raised).days - 1),
                day=day,
            )
            if act is not None:
                acts.append((alert, number, act))
        await asyncio.gather(*(self._act(*one, day) for one in acts[:ALERTS_A_DAY]))

    async def _act(self, alert: dict[str, Any], number: int, act: Any, day: date) -> None:
        body = {"reason": "seen, and talked to the borrower", "by": PERSON}
        if act.until is not None:
            body["until"] = act.until.isoformat()
        key = f"alert-{number}-{alert['indicator']}-{day}-{act.action}"
        await self.client.attempt("risk", MONITORING, f"/v1/alerts/{alert['alert_id']}/{act.action}", body, key=key)

    async def _remind(self, day: date) -> None:
        for borrower_id in await self.client.read(f"newly-due-{day}", lambda: self.newly_due(day)):
            account = self.plan.payers.accounts[self.numbers[borrower_id]]
            self.reminders.due += 1
            self.reminders.addressed |= "email" in account.borrower.channels
        body = {"at": f"{day}{MORNING}"}
        done = await self.client.post("service", COLLECTIONS, "/v1/reminders/dispatch", body, key=f"dispatch-{day}")
        self.reminders.add(done)

    async def _cases(self, day: date) -> None:
        """Collectors take the cases of the queue, one after the other, and call."""
        for nth in range(CASES_A_DAY):
            try:
                taken = await self.client.post("service", COLLECTIONS, "/v1/queue/next", key=f"case-{day}-{nth}")
            except Refused as refused:
                if refused.rule != "queue-empty":
                    raise
                return
            await self._call(taken, day)

    async def _call(self, case: dict[str, Any], day: date) -> None:
        borrower_id = case["borrower_id"]
        number = self.numbers[borrower_id]
        account = self.plan.payers.accounts[number]
        contact = {
            "channel": "voice" if "voice" in account.borrower.channels else account.borrower.channels[-1],
            "purpose": "collection",
            "loan_id": account.loan_id,
            "about": case["case_id"],
            "at": f"{day}{MORNING}",
        }
        key = f"{number}-{day}"
        path = f"/v1/borrowers/{borrower_id}/contacts"
        reserved = await self.client.attempt("service", COLLECTIONS, path, contact, key=f"contact-{key}")
        said, again_days = "may not be called", NOT_CALLED_DAYS
        if reserved is not None:
            said, again_days = await self._talk(account, reserved["contact_id"], case, day)
        body = {"reason": said, "again_on": (day + timedelta(days=again_days)).isoformat()}
        await self.client.post("service", COLLECTIONS, f"/v1/cases/{case['case_id']}/return", body, key=f"back-{key}")

    async def _talk(self, account: Account, contact_id: str, case: dict[str, Any], day: date) -> tuple[str, int]:
        """The call: what comes of it, and after how many days the case is looked at again."""
        number, borrower_id = account.borrower.number, case["borrower_id"]
        past_due = minor_units(case["past_due"].get(CURRENCY, "0"), CURRENCY)
        talk = on_case(self.plan.seed, account.borrower, past_due, day)
        key = f"{number}-{day}"
        ended = {"outcome": talk.outcome}
        path = f"/v1/contacts/{contact_id}/conclusion"
        await self.client.post("service", COLLECTIONS, path, ended, key=f"conclusion-{key}")
        if talk.outcome == "unanswered":
            return "nobody answered", talk.again_days
        self.plan.payers.reminded(account, day)
        if talk.says != "nothing":
            stop = {"kind": talk.says, "loan_id": account.loan_id, "reason": f"the borrower speaks of {talk.says}"}
            await self.client.attempt(
                "service", COLLECTIONS, f"/v1/borrowers/{borrower_id}/stops", stop, key=f"stop-{key}"
            )
            return f"{talk.says} is looked at", STOPPED_DAYS
        if talk.promise is None or not talk.promise[0]:
            return "no promise", talk.again_days
        amount, due = talk.promise
        promise = {"amount": amount_text(amount), "currency": CURRENCY, "due_date": due.isoformat()}
        path = f"/v1/loans/{account.loan_id}/promises"
        made = await self.client.attempt("service", COLLECTIONS, path, promise, key=f"promise-{key}")
        if made is None:
            return "no promise taken", talk.again_days
        self.plan.payers.promised(account, amount, due, day)
        return "a promise", (due - day).days + 1
