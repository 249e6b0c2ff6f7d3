"""What a machine tells about its owner counts as long as the owner agrees, and not a moment longer."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.calendar import add_months
from shared.events.signals import FigureReported, Figures
from tests.flow.steps import Borrower, Office


@pytest.mark.ops
async def test_a_withdrawn_consent_stops_the_use_of_telemetry(lender: Office) -> None:
    # Given a farm that agreed to telemetry, and whose tractor ran 100 hours a month, and 20 in this one
    borrower = await lender.registered(agreed=("automated-decision", "telemetry"), industry="crops")
    await lender.settle()  # nothing orders the outside's signals behind what the lender says of its borrowers
    this_month = (await lender.today()).replace(day=1)
    for months, value in ((-3, "100"), (-2, "100"), (-1, "100"), (0, "20")):
        await lender.hears(FigureReported, borrower, hours(value, add_months(this_month, months)))
    await lender.settle()

    # When this month is over, then what the tractor told is an indicator of the business
    await lender.pass_to(add_months(this_month, 1) + timedelta(days=1))
    idle = (await of_indicator(lender, borrower, "machine-idle"))["months"][-1]
    assert (idle["month"], idle["value"]) == (f"{this_month:%Y-%m}", "80")

    # When the consent is withdrawn, then the indicator is gone with all that rested on it
    await lender.withdraws(borrower, "telemetry")
    assert await of_indicator(lender, borrower, "machine-idle") is None

    # And what the tractor goes on telling is set aside by name
    signal = await lender.hears(FigureReported, borrower, hours("4", add_months(this_month, 1)))
    await lender.settle()
    [aside] = (await lender.indicators(borrower))["set_aside"]
    assert (aside["signal_id"], aside["rule"]) == (signal, "no-consent")
    await lender.proves_itself()


def hours(value: str, month: date) -> Figures:
    """What the tractor tells on the first of a month about its hours in it."""
    return Figures(name="machine-hours", value=value, unit="h", period_start=month, observed_on=month, device=True)


async def of_indicator(lender: Office, borrower: Borrower, code: str) -> Any:
    """An indicator of the borrower, or None."""
    known = (await lender.indicators(borrower))["indicators"]
    return next((one for one in known if one["indicator"] == code), None)
