"""What `lendlog why` refuses before it reads anything."""

import pytest

from lendlog.why_command import level
from shared.errors import MissingPrecondition


def test_an_indicator_that_keeps_no_level_is_answered_with_those_that_do() -> None:
    with pytest.raises(MissingPrecondition) as refused:
        level("b-1", "days-past-due")
    assert str(refused.value) == (
        "Monitoring holds no level of days-past-due: only adaptive indicators keep levels, which are dormancy, "
        "inflow-fall, late-trend, machine-idle, missed-season-sale, negative-balance, returned-items."
    )
