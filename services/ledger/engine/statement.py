"""A loan account as a person reads it, from its facts."""

from collections.abc import Sequence
from datetime import date

from services.ledger.engine.account import FEE, INTEREST, PARTS, PENALTY, PRINCIPAL, SETTLED, STATUS
from services.ledger.engine.facts import Fact
from services.ledger.engine.folding import service
from services.ledger.engine.lines import ChargeLine, InstalmentLine, ReferenceLine, Statement
from services.ledger.engine.rows import DOWN_PAYMENT, Row
from services.ledger.engine.servicing import Servicing


def statement(loan_id: str, facts: Sequence[Fact], *, before: int) -> Statement:
    """The account after these facts, with instalments due before the ordinal `before` fallen due."""
    return statement_of(service(0, loan_id, facts, before=before))


def statement_of(servicing: Servicing) -> Statement:
    """The statement of a loan as it has been folded."""
    loan = servicing.loan
    status = "overpaid" if loan.status == SETTLED and loan.overpaid else STATUS[loan.status]
    return Statement(
        status=status,
        charged_off_on=date.fromordinal(loan.charged_off) if loan.charged_off else None,
        instalments=_instalments(servicing),
        disbursements=tuple(servicing.trail.disbursements),
        transactions=servicing.trail.transactions(),
        charges=_charges(servicing),
        principal_outstanding=loan.principal_outstanding,
        outstanding=sum(loan.unpaid(k) for k in range(len(loan.due))),
        overpaid=loan.overpaid,
        reference_rate=_reference_rate(servicing),
    )


def _reference_rate(servicing: Servicing) -> ReferenceLine | None:
    terms, floating = servicing.terms, servicing.loan.floating
    if terms is None or terms.reference is None:
        return None
    return ReferenceLine(
        index=terms.reference.index,
        annual_rate=floating.annual_rate if floating is not None else None,
        next_reset_on=date.fromordinal(floating.next_reset) if floating is not None and floating.next_reset else None,
        resets=tuple(servicing.resets),
    )


def _instalments(servicing: Servicing) -> tuple[InstalmentLine, ...]:
    """The rows with the balance after each. A disbursement enters the balance with the first instalment due on its date
    or later; where several are due on its date, with its down payment."""
    loan = servicing.loan
    rows = servicing.rows.take(loan)
    lines: list[InstalmentLine] = []
    start = loan.start
    paid_out = list(servicing.paid_out)
    balance = 0
    for number, row in enumerate(rows, start=1):
        down_payment = row.kind == DOWN_PAYMENT
        waits = not down_payment and any(later.kind == DOWN_PAYMENT and later.due == row.due for later in rows[number:])
        while paid_out and paid_out[0].on.toordinal() <= row.due - waits:
            balance += paid_out.pop(0).amount
        balance += row.paid.credited - row.asked[PRINCIPAL]
        if loan.taken_over is not None and row.due >= loan.taken_over.on:
            start = max(start, loan.taken_over.since)
        lines.append(_line(row, number, row.due if down_payment else start, balance))
        if not down_payment:
            start = row.due
    return tuple(lines)


def _line(row: Row, number: int, start: int, balance: int) -> InstalmentLine:
    total, left = sum(row.asked), sum(row.left)
    forgone = row.paid.waived + row.paid.written_off
    return InstalmentLine(
        number=number,
        start=date.fromordinal(start),
        due=date.fromordinal(row.due),
        principal=row.asked[PRINCIPAL],
        interest=row.asked[INTEREST],
        fees=row.asked[FEE],
        penalties=row.asked[PENALTY],
        paid=total - left - forgone,
        waived=forgone,
        outstanding=left,
        in_advance=row.paid.in_advance,
        late=row.paid.late,
        paid_on=date.fromordinal(row.paid.on) if row.paid.on is not None and not left else None,
        balance=balance,
        down_payment=row.kind == DOWN_PAYMENT,
    )


def _charges(servicing: Servicing) -> tuple[ChargeLine, ...]:
    return tuple(
        ChargeLine(
            event_id=charge.event_id,
            part=PARTS[charge.part],
            name=servicing.names[charge.event_id],
            due=date.fromordinal(charge.due),
            amount=charge.amount,
            paid=charge.amount - charge.left - charge.waived,
            waived=charge.waived,
            outstanding=charge.left,
        )
        for charge in servicing.loan.charges
    )
