"""The kinds of policy files: what each is told by, the model of the service that reads it, and what its files must be
together."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from services.collections.contact_policy import ContactPolicy
from services.collections.dated import require_seamless
from services.collections.letters import Lesson
from services.collections.strategy import Strategy
from services.ledger.bank.csv_profile import Profile
from services.ledger.bank.lender import BankAccount, MatchingRow
from services.ledger.chart import Chart, problem_of
from services.ledger.debits.policy import DebitFile
from services.ledger.restructuring import LimitFile, seamless
from services.ledger.valuation.policy import ValuationFile
from services.monitoring.policy import BucketFile, IndicatorFile
from services.origination.measures import ATTRIBUTES
from services.origination.policy import Policy
from services.origination.product import Product
from services.origination.rate_caps import CapRow, RateCaps, check
from services.origination.rules import named_once
from services.origination.scorecard import Scorecard, UnknownAttribute
from shared.dated_rows import FIRST_DAY, PolicyRefused, covering
from shared.errors import Refusal
from shared.loan_classes import ClassFile


class IdTwice(Refusal):
    """Two rows or files have one id."""


class CapGap(Refusal):
    """Between two rows of a rate cap there are dates on which no loan can be priced."""


class UnknownReference(Refusal):
    """A rate cap is a multiple of a reference rate that the file does not have."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`told_by`: keys of the file, and after a dot keys of its rows (a list's own, where the file is one), that no
    other kind has all of. `together`: raises what the files of this kind, all in one, are refused for."""

    name: str
    told_by: frozenset[str]
    model: TypeAdapter[Any]
    together: Callable[[Sequence[Any]], None]


def kind_of(content: Any) -> Kind | None:
    """The kind of a file by its content; None: of none."""
    has = set[str]()
    rows = content
    if isinstance(content, dict):
        has.update(map(str, content))
        rows = content.get("rows")
    for row in rows if isinstance(rows, list) else ():
        has.update(f".{key}" for key in (row if isinstance(row, dict) else ()))
    return next((kind for kind in KINDS if kind.told_by <= has), None)


def _once(what: str, names: Iterable[Hashable]) -> None:
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise IdTwice(f"The {what} {twice} is there twice.", field=str(twice))


def _covering(files: Sequence[Any]) -> None:
    rows = [row for file in files for row in file.rows]
    _once("version", (row.version for row in rows))
    covering(rows)


def _valuations(files: Sequence[ValuationFile]) -> None:
    _once("policy", (file.name for file in files))
    for file in files:
        _covering([file])


def _limits(files: Sequence[LimitFile]) -> None:
    rows = [row for file in files for row in file.rows]
    _once("version", (row.version for row in rows))
    seamless(rows)


def _credit(policies: Sequence[Policy]) -> None:
    named_once(policies)


def _products(products: Sequence[Product]) -> None:
    named_once(products)
    for one in products:
        if one.valid_until is not None and one.valid_until < one.valid_from:
            raise PolicyRefused(f"{one.named} ends on {one.valid_until}, before it begins")


def _scorecards(cards: Sequence[Scorecard]) -> None:
    named_once(cards)
    for card in cards:
        for attribute in card.attributes:
            if attribute.name not in ATTRIBUTES:
                detail = f"{card.named} asks for {attribute.name}; there are {', '.join(sorted(ATTRIBUTES))}."
                raise UnknownAttribute(detail, field=attribute.name)


def _rate_caps(files: Sequence[RateCaps]) -> None:
    rows = [row for file in files for row in file.rows]
    _once("row", (row.name for row in rows))
    references = {name for file in files for name in file.references}
    for row in rows:
        if row.multiple_of is not None and row.multiple_of not in references:
            raise UnknownReference(f"{row.name} is a multiple of {row.multiple_of}.", field=row.multiple_of)
    check(RateCaps(references={}, rows=rows))
    for whose in sorted({(row.country, row.lender_kind, kind) for row in rows for kind in row.product_kinds}):
        _no_gap([row for row in rows if (row.country, row.lender_kind) == whose[:2] and whose[2] in row.product_kinds])


def _no_gap(rows: Sequence[CapRow]) -> None:
    for row, following in pairwise(sorted(rows, key=lambda row: row.valid_from)):
        last = row.valid_until or date.max
        if last < following.valid_from - timedelta(days=1):
            raise CapGap(f"No row rules loans after {last}, until {following.name} begins.", field=following.name)


def _contacts(policies: Sequence[ContactPolicy]) -> None:
    _once("jurisdiction", (policy.jurisdiction for policy in policies))


def _strategies(strategies: Sequence[Strategy]) -> None:
    require_seamless(strategies, "strategies")
    _once("version", (one.version for one in strategies))


def _lessons(lessons: Sequence[Lesson]) -> None:
    _once("lesson", (one.name for one in lessons))


def _charts(charts: Sequence[Chart]) -> None:
    for chart in charts:
        if (problem := problem_of(chart)) is not None:
            raise PolicyRefused(problem)


def _accounts(files: Sequence[list[BankAccount]]) -> None:
    accounts = [one for file in files for one in file]
    _once("account", (one.id for one in accounts))
    _once("number", (one.number for one in accounts))


def _matching(files: Sequence[list[MatchingRow]]) -> None:
    rows = [row for file in files for row in file]
    _once("version", (row.version for row in rows))
    _once("start", (row.start for row in rows))
    if min((row.start for row in rows), default=date.max) > FIRST_DAY:
        raise PolicyRefused(f"no row covers {FIRST_DAY}")


def _alone(_: Sequence[Any]) -> None:
    """Nothing holds between files of this kind."""


def _kind(name: str, told_by: str, model: Any, together: Callable[[Sequence[Any]], None]) -> Kind:
    return Kind(name, frozenset(told_by.split()), TypeAdapter(model), together)


CREDIT = _kind("credit policy", "score_bands capacity", Policy, _credit)
SCORECARD = _kind("scorecard", "scaling attributes", Scorecard, _scorecards)
KINDS = (
    CREDIT,
    SCORECARD,
    _kind("product", "annual_rate repayment", Product, _products),
    _kind("rate caps", "references rows", RateCaps, _rate_caps),
    _kind("contact policy", "jurisdiction rows", ContactPolicy, _contacts),
    _kind("collection strategy", "steps priority", Strategy, _strategies),
    _kind("lesson", "stages texts", Lesson, _lessons),
    _kind("valuation policy", "name rows .provisioning", ValuationFile, _valuations),
    _kind("restructuring limits", "rows .share_max", LimitFile, _limits),
    _kind("loan classes", "rows .more_than", ClassFile, _covering),
    _kind("delinquency buckets", "rows .buckets", BucketFile, _covering),
    _kind("indicators", "rows .soft", IndicatorFile, _covering),
    _kind("chart of accounts", "name accounts", Chart, _charts),
    _kind("bank accounts", ".number .opened_on", list[BankAccount], _accounts),
    _kind("matching rules", ".window_days", list[MatchingRow], _matching),
    _kind("direct debits", "rows .attempts_max", DebitFile, _covering),
    _kind("bank file profile", "columns date_format", Profile, _alone),
)
