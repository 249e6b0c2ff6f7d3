"""An offer: terms, the schedule that they give, and what they cost in a year beside the cap of the day."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

from services.origination.cost import fees_withheld, rate_of
from services.origination.policy import Policy
from services.origination.product import Product
from services.origination.rate_caps import Cap, RateAboveCap, RateCaps, cap_for
from shared.events.applications import Offer
from shared.events.terms import Terms
from shared.money import decimal_text
from shared.schedules import Instalment, paid_out_whole
from shared.schedules.fees import Fee


@dataclass(frozen=True, slots=True)
class Quote:
    """What the borrower is shown: the schedule of a loan paid out on `quoted_on`, and its all-in annual rate."""

    product: Product
    terms: Terms
    quoted_on: date
    instalments: tuple[Instalment, ...]
    all_in_rate: Decimal
    cap: Cap
    fees: tuple[Fee, ...] = ()
    """Withheld when the money is paid out; the rate counts them."""

    @property
    def verdict(self) -> Literal["within", "no-cap"]:
        """What the cap's row says; a loan above it is never quoted."""
        return "no-cap" if self.cap.limit is None else "within"

    @property
    def total_interest(self) -> int:
        """In minor units."""
        return sum(instalment.interest for instalment in self.instalments)

    @property
    def fees_withheld(self) -> str | None:
        """Their sum as it is shown; None: the whole principal is paid out."""
        return decimal_text(sum(amount for _, amount in self.fees), self.terms.currency) if self.fees else None

    @property
    def instalment_fees(self) -> int:
        """The sum of the instalments' fees, in minor units."""
        return sum(sum(instalment.fees) for instalment in self.instalments)

    def shown(self) -> dict[str, Any]:
        """What is shown, whole and in the order of the law's interest: the year's rate first (PBOC 2021 no. 3)."""
        code = self.terms.currency
        fees = [{"name": name, "amount": decimal_text(amount, code)} for name, amount in self.fees]
        withheld = {"fees": fees, "fees_withheld": self.fees_withheld} if fees else {}
        return {
            "all_in_rate": f"{self.all_in_rate:f}",
            "method": self.cap.row.method,
            "cap": self.cap.row.name,
            "cap_rate": None if self.cap.limit is None else f"{self.cap.limit:f}",
            "product": self.product.named,
            "terms": self.terms.model_dump(mode="json"),
            "paid_out_on": self.quoted_on.isoformat(),
            "total_interest": decimal_text(self.total_interest, code),
            **withheld,
            **({"instalment_fees": decimal_text(self.instalment_fees, code)} if self.instalment_fees else {}),
            "schedule": _rows(self.instalments, code),
        }

    def sha256(self) -> str:
        """Of the canonical JSON of what is shown; an acceptance repeats it."""
        return hashlib.sha256(canonical(self.shown()).encode()).hexdigest()


def canonical(document: dict[str, Any]) -> str:
    """JSON with sorted names and no blanks, so that a hash of it can be made again."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _rows(instalments: Sequence[Instalment], code: str) -> list[dict[str, str]]:
    return [
        {
            "due": instalment.due.isoformat(),
            "principal": decimal_text(instalment.principal, code),
            "interest": decimal_text(instalment.interest, code),
            "total": decimal_text(instalment.total, code),
            **({"fees": decimal_text(sum(instalment.fees), code)} if instalment.fees else {}),
        }
        for instalment in instalments
    ]


def quote(product: Product, terms: Terms, caps: RateCaps, *, country: str, lender_kind: str, today: date) -> Quote:
    """The quote for a loan paid out today. Raises RateAboveCap, NoRateCapRow, and the refusals of the schedule."""
    cap = cap_for(caps, country=country, lender_kind=lender_kind, product_kind=product.kind, day=today)
    instalments = paid_out_whole(terms, disbursed_on=today).instalments
    rate = rate_of(terms, instalments, disbursed_on=today, method=cap.row.method)
    if not cap.allows(rate):
        detail = f"{rate:f} a year ({cap.row.method}) is above {cap.limit:f} of {cap.row.name}."
        raise RateAboveCap(detail, field="annual_rate")
    return Quote(product, terms, today, instalments, rate, cap, fees_withheld(terms))


def offer_of(quoted: Quote, policy: Policy, *, application_id: str, offer_id: str, by: str) -> Offer:
    """The event's data of an offer of this quote, valid for the policy's days, and not past the eve of the first due
    date."""
    last = quoted.quoted_on + timedelta(days=policy.offer_days)
    return Offer(
        application_id=application_id,
        offer_id=offer_id,
        product=quoted.product.named,
        terms=quoted.terms,
        all_in_rate=f"{quoted.all_in_rate:f}",
        method=quoted.cap.row.method,
        cap=quoted.cap.row.name,
        cap_rate=None if quoted.cap.limit is None else f"{quoted.cap.limit:f}",
        verdict=quoted.verdict,
        total_interest=decimal_text(quoted.total_interest, quoted.terms.currency),
        fees_withheld=quoted.fees_withheld,
        schedule_sha256=quoted.sha256(),
        valid_until=min(last, quoted.terms.first_due_date - timedelta(days=1)),
        by=by,
    )
