"""The benchmark of the fold measures what it says: ordinary repayments, every one in place, whole loans of them."""

import json

from typer.testing import CliRunner

from lendlog.bench.fold import _paid_out, _repayments
from lendlog.cli import build
from services.ledger.engine.account import SETTLED
from services.ledger.engine.claims import fall_due
from services.ledger.engine.folding import apply, in_place


def test_its_repayments_end_a_loan_to_the_minor_unit_and_each_is_folded_in_place() -> None:
    loan = _paid_out(12)
    repayments = list(_repayments(loan, 3))
    for fact in repayments:
        fall_due(loan, fact.effective, [])
        assert in_place(loan, fact)
        apply(loan, fact, [])
    assert (len(repayments), loan.status, loan.overpaid) == (36, SETTLED, 0)


def test_it_prints_a_figure_for_each_age_beside_the_floor_and_the_hardware() -> None:
    done = CliRunner().invoke(build(("bench",)), ("bench", "fold", "--repayments", "1000", "--json"))
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert list(found["microseconds"]) == ["12", "60", "360"]
    assert found["floor"].keys() == found["microseconds"]["12"].keys() == {"mean", "median", "p99"}
    assert found["hardware"]["cores"]
