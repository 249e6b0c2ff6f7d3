"""Figures of risk: portfolio at risk, expected credit loss, provisions, scorecard points, control charts."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from lendlog.oracle.given import Case, Figures, fraction, number, required
from services.monitoring import charts
from services.monitoring.portfolio import PAR_DAYS, Position, portfolio, ratio
from services.origination.scorecard import Scaling
from shared import expected_loss as ecl
from shared.money import minor_units

AS_OF = date(2025, 12, 31)
CURRENCY = "USD"


def portfolio_at_risk(case: Case) -> dict[str, Any]:
    """Loans, or the sums over loans in arrears and all loans, as positions of a portfolio."""
    given = case["input"]
    if "loans" in given:
        positions = [_position(str(n), loan) for n, loan in enumerate(given["loans"])]
    else:
        late = _minor(required(given, "loans_in_arrears_outstanding_principal"))
        total = _minor(required(given, "total_outstanding_principal"))
        worst = int(given.get("days_past_due", PAR_DAYS[-1] + 1))
        since = AS_OF - timedelta(days=worst)
        positions = [
            Position("late", "late", CURRENCY, late, since),
            Position("current", "current", CURRENCY, total - late, None),
        ]
    shares = portfolio(positions, AS_OF)["currencies"][CURRENCY]
    figures = {f"par{days}_pct": Decimal(shares[f"par{days}"]["ratio"]) * 100 for days in PAR_DAYS}
    figures["par_pct"] = figures[f"par{given.get('days', PAR_DAYS[0])}_pct"]
    figures["npl_pct"] = Decimal(shares["npl"]["ratio"]) * 100
    if "principal_in_arrears" in given:  # what portfolio at risk is not
        whole = sum(position.principal for position in positions)
        figures["wrong_arrears_ratio_pct"] = Decimal(ratio(_minor(given["principal_in_arrears"]), whole)) * 100
    return figures


def _position(name: str, loan: Mapping[str, Any]) -> Position:
    days = int(loan.get("days_past_due", loan.get("dpd", 0)))
    since = AS_OF - timedelta(days=days) if days else None
    principal = _minor(required(loan, "outstanding_principal", "outstanding", "principal", "balance"))
    return Position(name, name, CURRENCY, principal, since)


def _minor(amount: object) -> int:
    return minor_units(f"{number(amount):f}", CURRENCY)


def expected_credit_loss(case: Case) -> dict[str, Any]:
    """12-month loss of one exposure, or the loss over the periods of a life."""
    given = case["input"]
    outstanding = required(given, "gross", "ead", "exposure", "outstanding")
    loss = required(given, "lgd")
    rate = number(given.get("eir", given.get("discount_rate", given.get("rate", 0))))
    defaults = _defaults(given)
    exposures = _of_each(outstanding, len(defaults))
    if "undrawn" in given:
        undrawn, conversion = number(given["undrawn"]), number(given.get("ccf", 1))
        exposures = [ecl.exposure_at_default(one, undrawn, conversion) for one in exposures]
    a_year = number(given.get("periods_per_year", 1))
    columns = zip(defaults, _of_each(loss, len(defaults)), exposures, strict=True)
    periods = [
        ecl.LossPeriod(probability, share, exposure, years=count / a_year)
        for count, (probability, share, exposure) in enumerate(columns, start=1)
    ]
    lifetime = ecl.expected_loss(periods, rate)
    twelve = ecl.twelve_month_loss(periods, rate)
    each = [ecl.expected_loss([period], rate) for period in periods]
    return {"ecl": lifetime, "lifetime_ecl": lifetime, "ecl_lifetime": lifetime, "ecl_12m": twelve, "each": each}


def _defaults(given: Mapping[str, Any]) -> list[Decimal]:
    """The marginal probability of default of each period."""
    if "cumulative_pd" in given or "pd_cumulative" in given:
        known = required(given, "cumulative_pd", "pd_cumulative")
        return ecl.marginal_of_cumulative([number(one) for one in known])
    if "hazard" in given or "pd_conditional" in given or "conditional_pd" in given:
        known = required(given, "hazard", "pd_conditional", "conditional_pd")
        return ecl.marginal_of_hazard([number(one) for one in known])
    known = required(given, "pd_12m", "marginal_pd", "pd_marginal", "pd", "pds")
    return [number(one) for one in known] if isinstance(known, list) else [number(known)]


def _of_each(value: object, count: int) -> list[Decimal]:
    return [number(one) for one in value] if isinstance(value, list) else [number(value)] * count


def provision_matrix(case: Case) -> dict[str, Any]:
    """Buckets of [name, outstanding, loss share]."""
    buckets = required(case["input"], "buckets")
    each = ecl.matrix((number(outstanding), number(share)) for _, outstanding, share in buckets)
    return {"each": each, "total": sum(each)}


def score_scaling(case: Case) -> dict[str, Any]:
    """The constants of score = A + B ln(odds of bad to good) = a - b ln(odds of bad to good)."""
    given = case["input"]
    if "odds_good_bad" in given:
        good = fraction(given["odds_good_bad"])
    else:
        good = 1 / fraction(required(given, "odds_bad_good", "odds0", "odds"))
    scaling = Scaling(
        score=number(required(given, "p0", "points0", "score")),
        odds=Decimal(good.numerator) / Decimal(good.denominator),
        pdo=number(required(given, "pdo")),
    )
    figures = {
        "A": scaling.offset,
        "B": -scaling.factor,
        "a": scaling.offset,
        "b": scaling.factor,
        "offset": scaling.offset,
        "factor": scaling.factor,
    }
    if "p" in given:
        bad = number(given["p"])
        figures["score"] = scaling.at(((1 - bad) / bad).ln())
    return figures


def ewma_chart(case: Case) -> dict[str, Any]:
    """The moving average after each value, and its limits: those it tends to, or of each step where a list is asked."""
    given = case["input"]
    start, sd = number(required(given, "start", "target", "mean")), number(required(given, "s", "sd", "sigma"))
    lam, width = number(required(given, "lam", "lambda")), number(required(given, "k", "L", "width"))
    averages, z = [], start
    with charts.exact():
        for x in required(given, "x"):
            z = charts.ewma(z, number(x), lam)
            averages.append(z)
        half = charts.ewma_half_width(sd, lam=lam, width=width)
        steps = [charts.ewma_half_width(sd, lam=lam, width=width, step=step) for step in range(1, len(averages) + 1)]
    figures: dict[str, Any] = {"ewma": averages, "ucl": start + half, "lcl": start - half}
    by_step = {"ucl": [start + one for one in steps], "lcl": [start - one for one in steps]}
    each = {name: limits for name, limits in by_step.items() if isinstance(case["expected"].get(name), list)}
    halves = steps if each else [half] * len(averages)
    alarms = [abs(z - start) > limit for z, limit in zip(averages, halves, strict=True)]
    return figures | each | {"first_alarm_index_1based": _first(alarms)}


def cusum_tabular(case: Case) -> dict[str, Any]:
    """Both sums after each value, and the first value at which one exceeds the decision interval h."""
    given = case["input"]
    target, slack, h = (number(required(given, name)) for name in ("target", "k", "h"))
    high, low = [], []
    sums = number(given.get("s_hi0", 0)), number(given.get("s_lo0", 0))
    with charts.exact():
        for x in required(given, "x"):
            sums = charts.cusum(*sums, number(x), target=target, slack=slack)
            high.append(sums[0])
            low.append(sums[1])
    alarms = [max(pair) > h for pair in zip(high, low, strict=True)]
    return {"s_hi": high, "s_lo": low, "first_alarm_index_1based": _first(alarms)}


def _first(alarms: list[bool]) -> int | None:
    return alarms.index(True) + 1 if True in alarms else None


FIGURES: dict[str, Figures] = {
    "par": portfolio_at_risk,
    "ecl": expected_credit_loss,
    "provision_matrix": provision_matrix,
    "score_scaling": score_scaling,
    "ewma_chart": ewma_chart,
    "cusum_tabular": cusum_tabular,
}
