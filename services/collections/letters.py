"""Reminders as texts: a template per kind and language, amounts as people write them, a lesson of the stage with each.

A subject line tells nothing of a debt: it shows on a locked screen, to whoever holds the telephone.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from string import Template
from typing import Annotated, Literal

from pydantic import Field

from services.collections.channel import Message
from services.collections.dated import PACKAGE, Rule, documents
from shared.money import decimal_text

Language = Literal["en", "zh-CN"]
LANGUAGES: tuple[Language, ...] = ("en", "zh-CN")
Stage = Literal["t-3", "t0", "t+1"]


class Lesson(Rule):
    """What a borrower should know at a stage: duties, consequences of default, rights, where to complain."""

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[int, Field(ge=1)]
    stages: Annotated[list[Stage], Field(min_length=1)]
    texts: dict[Language, str]


@dataclass(frozen=True, slots=True)
class Reminding:
    """What a reminder is about. `amount` in minor units; None: not told."""

    kind: str
    loan_id: str
    instalment_due: date
    amount: int | None
    currency: str


@lru_cache(maxsize=1)
def lessons() -> tuple[Lesson, ...]:
    """The package's lessons, in order of their files' names."""
    return tuple(Lesson.model_validate(content) for _, content in documents("", "lessons"))


def lessons_for(stage: str) -> list[Lesson]:
    """Those that go with a stage."""
    return [lesson for lesson in lessons() if stage in lesson.stages]


def language_for(wanted: str) -> Language:
    """In which language to write to somebody who wants `wanted` (BCP 47): the same, one of the same tongue, English."""
    if wanted in LANGUAGES:
        return wanted
    tongue = wanted.split("-", maxsplit=1)[0]
    return next((one for one in LANGUAGES if one.split("-")[0] == tongue), "en")


def reminder_letter(reminding: Reminding, language: str, message_id: str) -> Message:
    """The reminder in the borrower's language, or in English; raises nothing that a template of ours may not."""
    written = language_for(language)
    subject, _, body = _template(reminding.kind, written).partition("\n\n")
    lesson = "\n\n".join(one.texts[written].strip() for one in lessons_for(reminding.kind))
    text = Template(body).substitute(_fields(reminding, written) | {"lesson": lesson})
    return Message(message_id, subject.removeprefix("Subject: ").strip(), text.strip() + "\n", written)


def _fields(reminding: Reminding, language: str) -> dict[str, str]:
    amount = "" if reminding.amount is None else amount_text(reminding.amount, reminding.currency, language)
    due = reminding.instalment_due
    day = f"{due.year}年{due.month}月{due.day}日" if language == "zh-CN" else f"{due.day} {due:%B %Y}"
    return {"loan": reminding.loan_id, "due": day, "amount": amount}


def amount_text(minor: int, currency: str, language: str) -> str:
    """An amount with grouped thousands: CNY 12,345.60, and 12,345.60元 in Chinese."""
    whole, point, decimals = decimal_text(minor, currency).partition(".")
    grouped = f"{int(whole):,}{point}{decimals}"
    if language == "zh-CN":
        return f"{grouped}元" if currency == "CNY" else f"{grouped} {currency}"
    return f"{currency} {grouped}"


@lru_cache(maxsize=16)
def _template(kind: str, language: str) -> str:
    return (resources.files(PACKAGE) / "messages" / f"reminder-{kind}.{language}.txt").read_text(encoding="utf-8")
