"""The complete terms of a loan, as they are frozen into its contract.

Everything that a schedule, a day's interest and the use of a repayment depend on is here, so that a contract can be
read in twenty years without the product that it came from. Rates and shares are decimal fractions in text ("0.12" is
12 %), amounts decimal text in the terms' currency. What most loans do not use is left out of the JSON when it has its
default: a contract stays short.
"""

from datetime import date
from functools import partial
from operator import eq
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from shared.events.envelope import Amount, CurrencyCode, Data

AnnualRate = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,8})?$")]
"""A nominal annual rate as a decimal fraction: "0.12" is 12 % a year. Below 100."""
SignedRate = Annotated[str, StringConstraints(pattern=r"^-?[0-9](\.[0-9]{1,8})?$")]
"""A rate or a spread that may be below zero: "0.0150", "-0.002"."""
RateIndex = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9.-]{1,39}$")]
"""What a published rate is called: "CN-LPR-1Y", China's loan prime rate of one year."""
_SHARE = r"^(0(\.[0-9]{1,8})?|1(\.0{1,8})?)$"
Share = Annotated[str, StringConstraints(pattern=_SHARE)]
"""A part of a whole, from "0" to "1"."""
Month = Annotated[int, Field(ge=1, le=12)]
MonthShares = Annotated[
    dict[Month, Share],
    WithJsonSchema(
        {
            "type": "object",
            "patternProperties": {"^([1-9]|1[0-2])$": {"type": "string", "pattern": _SHARE}},
            "additionalProperties": False,
        }
    ),
]
"""Calendar months, 1 to 12, and their shares."""
Days = Annotated[int, Field(ge=0, le=366, strict=True)]
Periods = Annotated[int, Field(ge=0, le=600, strict=True)]


def _rare(default: Any) -> Any:
    """A field that is left out of the JSON when it has its default."""
    return Field(default=default, exclude_if=partial(eq, default))


class DatedRate(Data):
    """The rate that holds from the date `from_date` on."""

    from_date: date
    annual_rate: AnnualRate


def _names_its_rule(schema: dict[str, Any]) -> None:
    schema["required"] = ["rule", *schema.get("required", ())]


class ResetEveryMonths(Data):
    """A reset every so many `months` after the first disbursement; a day that the month lacks is its last day."""

    model_config = ConfigDict(json_schema_extra=_names_its_rule)

    rule: Literal["every-months"] = "every-months"
    months: Annotated[int, Field(ge=1, le=600, strict=True)] = 12


class ResetYearly(Data):
    """A reset on the same day of each year after the first disbursement; not on 29 February."""

    model_config = ConfigDict(json_schema_extra=_names_its_rule)

    rule: Literal["yearly"] = "yearly"
    month: Month = 1
    day: Annotated[int, Field(ge=1, le=31, strict=True)] = 1


class ReferenceRate(Data):
    """The rate follows a published one: on each reset date it becomes the value of `index` in force `lookback_days`
    before, plus `spread`, no less than `floor` (else zero) and no more than `cap`.

    What was published from a date on is in force until the next publication's date. Where none is in force, the rate
    stays as it is. An agreed change of the rate ends all this. In China the loan prime rate is published on the 20th of
    each month, or after a holiday, in steps of 0.05 % (chinamoney.com.cn), and loans are mostly reset on 1 January or
    on their anniversary.
    """

    index: RateIndex
    spread: SignedRate
    resets: Annotated[ResetEveryMonths | ResetYearly, Field(discriminator="rule")]
    lookback_days: Days = _rare(0)
    floor: AnnualRate | None = _rare(None)
    cap: AnnualRate | None = _rare(None)


class Tranche(Data):
    """A part of the principal, to be paid out on or about `on`."""

    on: date
    amount: Amount


class PlannedInstalment(Data):
    """An instalment agreed by hand: when, and how much principal; interest comes on top."""

    due: date
    principal: Amount


class DueDateShift(Data):
    """What happens to a due date that is no working day in `country` (ISO 3166; CN knows exchanged working days, 调休).

    roll: `following`, `preceding`, `modified-following` (ISDA 2006 4.12). with_interest: whether the period, and so its
    interest, moves with the date; without, only the day of payment moves.
    """

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    roll: Literal["following", "preceding", "modified-following"] = "following"
    with_interest: Annotated[bool, Field(strict=True)] = False


class Recalculation(Data):
    """Interest follows what is really outstanding: paid early it falls, paid late it rises.

    effect: what an early payment does to the instalments after it. `reduce-instalment` spreads the smaller principal
    over the same dates; `keep-instalment` pays the last ones first, so that the loan ends earlier.
    rest: when a payment begins to count, on its own `day` or at the next `due-date`.
    payoff_until: a payoff owes interest up to the `day` of the payoff or up to the next `due-date`.
    """

    effect: Literal["reduce-instalment", "keep-instalment"] = "reduce-instalment"
    rest: Literal["day", "due-date"] = "day"
    payoff_until: Literal["day", "due-date"] = "day"


FeeName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Tax(Data):
    """A tax that the prices of some parts include, and that the lender owes to the state: `rate` on top of the price
    without it, so that of an amount x it is x * rate / (1 + rate), rounded by the rounding of the terms."""

    name: FeeName
    rate: Share
    of: Annotated[tuple[Literal["interest", "fee", "penalty"], ...], Field(min_length=1, max_length=3)]


class UpfrontFee(Data):
    """A fee that is withheld when money is paid out: `amount` once, of the first disbursement, and `share` of each."""

    name: FeeName
    amount: Amount = "0"
    share: Share = "0"


class InstalmentFee(Data):
    """A fee that each instalment of the schedule asks for, due with it: `amount`, and `share` of `base`.

    base: the instalment's `principal`, its `interest`, both (`instalment`), the principal `outstanding` before it, or
    the `contract`'s principal. Down payments and instalments that ask for neither principal nor interest bear none.
    """

    name: FeeName
    amount: Amount = "0"
    share: Share = "0"
    base: Literal["principal", "interest", "instalment", "outstanding", "contract"] = "instalment"


class PrepaymentFee(Data):
    """Principal that is prepaid within so many months of the first disbursement costs a share of it.

    Of several, the one with the fewest months that still holds counts.
    """

    within_months: Annotated[int, Field(ge=1, le=600, strict=True)]
    share: Share


class BorrowerRights(Data):
    """What the borrower may change alone, over the life of the loan.

    due_date_moves: how often the due day may move, each time by `move_days` at most. skips: how many instalments may be
    put off, one at a time.
    """

    due_date_moves: Annotated[int, Field(ge=0, le=600, strict=True)] = 0
    move_days: Days = 0
    skips: Annotated[int, Field(ge=0, le=600, strict=True)] = 0


class PenaltyInterest(Data):
    """Interest on what is overdue, on top of the loan's own: charged as a penalty of the overdue instalment.

    base: what it is reckoned on, each day: the instalment's `overdue-principal`, its `overdue` principal and interest,
    or the loan's whole `outstanding-principal` (once, whatever number of instalments is overdue).
    day_count: days from the due date to the payment over 360 or 365.
    grace_days: an instalment paid within them bears none. After them it counts `from-due-date`, or only `after-grace`.
    cap: the share of the contract's amount that all penalties of the loan together never exceed.
    """

    base: Literal["overdue-principal", "overdue", "outstanding-principal"] = "overdue-principal"
    annual_rate: AnnualRate
    day_count: Literal["actual/360", "actual/365"] = "actual/365"
    grace_days: Days = 0
    grace: Literal["from-due-date", "after-grace"] = "from-due-date"
    cap: Share | None = None


When = Literal["past-due", "due", "in-advance"]
Part = Literal["penalty", "fee", "interest", "principal"]
MoneyKind = Literal["payment", "goodwill-credit", "merchant-refund", "payout-refund", "charge-adjustment"]
Future = Literal["next", "last", "spread"]


class Cell(Data):
    """One of the twelve things that money can pay."""

    when: When
    part: Part


class AllocationCells(Data):
    """The order in which money is used, as cells; every one of the twelve once.

    processing: `horizontal` pays an instalment through all its cells of one `when` before the next instalment;
    `vertical` pays one cell through all instalments before the next cell.
    future: which instalments in advance money goes to: the `next` one first, the `last` one first, or `spread` in equal
    parts over all of them; `future_by_kind` says it otherwise for a kind of money.
    """

    cells: Annotated[tuple[Cell, ...], Field(min_length=12, max_length=12)]
    processing: Literal["horizontal", "vertical"] = "horizontal"
    future: Future = "next"
    future_by_kind: dict[MoneyKind, Future] = Field(default_factory=dict)


AllocationOrder = Literal[
    "instalment-interest-principal",
    "due-interest-principal",
    "due-penalty-interest-principal-fee",
    "civil-code-561",
]


AccountingMethod = Literal["accrual-periodic", "accrual-upfront", "cash", "none"]


class Terms(Data):
    """The complete terms of a loan, frozen into its contract.

    kind: what the instalments ask for.
      equal-instalment: 等额本息, an annuity. equal-principal: 等额本金, the same principal each time.
      flat: interest of every period on the whole principal, principal in equal parts.
      interest-only: 先息后本, interest each time and the principal with the last instalment.
      seasonal: in each calendar month its share of the principal (`shares`); a month not named asks for interest alone,
        one named with "0" for nothing, and its interest is put off.
      irregular: the principal and dates of `plan`, agreed by hand.
      A rate of "0" makes any of them interest-free.
    Instalment k falls due `every` x (k-1) `unit`s after `first_due_date`.
    month_end: `clamp`: a day that the month lacks is its last day, and the month after has it again; `last-day`: every
      instalment falls due on the last day of its month.
    day_count: `equal-periods` counts periods, whatever days they have (a twelfth of a year a month, a 52nd a week);
      `30/360` (ISDA 2006 4.16(f), but a whole period of months is thirty days a month, whatever day its ends clamp to),
      `actual/360` (4.16(e)), `actual/365` (4.16(d), Fixed), `actual/364`,
      `actual/actual`. year_rule, for actual/actual: `isda` (4.16(b)) gives each day its own year; `disbursement-year`
      divides every day by the length of the year of the first disbursement.
    schedule: `cumulative`: one instalment computed once, the last takes what rounding left. `progressive`: each period
      has its own rate factor, the instalment is moved to level the last one, a change recomputes from its period.
    annuity, for cumulative equal instalments: `exact` solves for the interest that will be charged; `nominal-month`
      takes thirty days for a month, as some systems do, and leaves the difference to the last instalment.
    rounding: how a fraction of a minor unit rounds.
    principal_multiple, instalment_multiple: principal parts, or whole instalments, are multiples of it.
    balloon: principal that is left for the last instalment, on top of its own part.
    minimum_gap: days that must lie between the due dates of a `plan`, and before its first.
    grace_principal: the first periods ask for interest alone. grace_interest_payment: the interest of the first periods
      is asked for with the period after them. grace_interest_charge: the first periods bear no interest.
    down_payment: a share of each disbursement, due at once on its date as an instalment of its own.
    tranches: when parts of the principal will be paid out; without, it may be paid out in any parts.
    over_applied: the share by which disbursements together may exceed the principal.
    arrears_materiality: past due only counts in days once more than this amount is overdue. arrears_grace_days: and
      delinquency begins so many days after.
    accounting: when the lender's books have interest, fees and penalties as income. `accrual-periodic`: day by day, and
      when they are charged; `accrual-upfront`: the whole interest when the money is paid out; `cash`: when they are
      paid; `none`: the loan is in none of its accounts.
    tax: what of that income is owed to the state.
    reference: the published rate that the loan follows; `annual_rate` is then what was agreed until the first reset,
      and what is still to come is reckoned at the rate of now.
    """

    kind: Literal["equal-instalment", "equal-principal", "flat", "interest-only", "seasonal", "irregular"]
    principal: Amount
    currency: CurrencyCode
    annual_rate: AnnualRate
    rate_changes: tuple[DatedRate, ...] = _rare(())
    instalments: Annotated[int, Field(ge=1, le=600, strict=True)]
    every: Annotated[int, Field(ge=1, le=366, strict=True)] = 1
    unit: Literal["day", "week", "month"] = "month"
    first_due_date: date
    month_end: Literal["clamp", "last-day"] = _rare("clamp")
    day_count: Literal["equal-periods", "30/360", "actual/360", "actual/364", "actual/365", "actual/actual"] = "30/360"
    year_rule: Literal["isda", "disbursement-year"] = _rare("isda")
    schedule: Literal["cumulative", "progressive"] = _rare("cumulative")
    annuity: Literal["exact", "nominal-month"] = _rare("exact")
    rounding: Literal["half-even", "half-up"] = "half-even"
    principal_multiple: Amount | None = _rare(None)
    instalment_multiple: Amount | None = _rare(None)
    balloon: Amount | None = _rare(None)
    shares: MonthShares = Field(default_factory=dict, exclude_if=partial(eq, {}))
    plan: tuple[PlannedInstalment, ...] = _rare(())
    minimum_gap: Days = _rare(0)
    grace_principal: Periods = _rare(0)
    grace_interest_payment: Periods = _rare(0)
    grace_interest_charge: Periods = _rare(0)
    down_payment: Share = _rare("0")
    tranches: tuple[Tranche, ...] = _rare(())
    over_applied: Share = _rare("0")
    holidays: DueDateShift | None = _rare(None)
    recalculation: Recalculation | None = _rare(None)
    allocation: AllocationOrder | AllocationCells = "instalment-interest-principal"
    arrears_materiality: Amount = "0"
    arrears_grace_days: Days = _rare(0)
    penalty: PenaltyInterest | None = _rare(None)
    upfront_fees: tuple[UpfrontFee, ...] = _rare(())
    prepayment_fees: tuple[PrepaymentFee, ...] = _rare(())
    instalment_fees: tuple[InstalmentFee, ...] = _rare(())
    borrower_rights: BorrowerRights | None = _rare(None)
    accounting: AccountingMethod = _rare("accrual-periodic")
    tax: Tax | None = _rare(None)
    reference: ReferenceRate | None = _rare(None)
