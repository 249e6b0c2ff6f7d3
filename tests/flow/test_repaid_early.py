"""From the request to the last payment, which comes before its time: what most loans should be like."""

from decimal import Decimal

from tests.flow.steps import Office


async def test_a_loan_is_approved_paid_out_and_repaid_early(lender: Office) -> None:
    # Given a shop that earns well, and an application that lacks nothing
    borrower = await lender.registered()
    application = await lender.application(borrower, amount="20000.00", instalments=12)

    # When it is submitted, offered, accepted and paid out
    assert await lender.submitted(application) == "approved"
    loan = await lender.offer_accepted(application, borrower)
    await lender.paid_out(loan)

    # Then the books have the loan on the schedule that the borrower was shown
    books = await lender.books(loan)
    assert (books["status"], books["principal_outstanding"]) == ("active", "20000.00")
    assert (books["next_due_date"], books["past_due"]) == (loan.due.isoformat(), "0.00")

    # When the next day everything comes back that the schedule asks for, and five more
    await lender.pass_days(1)
    await lender.pays(loan, f"{sum(Decimal(amount) for _, amount in loan.schedule) + 5}")

    # Then the loan is settled, the five are owed to the borrower, and nobody has a reason to call
    books = await lender.books(loan)
    assert (books["status"], books["principal_outstanding"], books["overpaid"]) == ("settled", "0.00", "5.00")
    [watched] = await lender.loans(borrower)
    assert (watched["status"], watched["days_past_due"]) == ("settled", 0)
    assert await lender.case(borrower) is None
    again = await lender.application(borrower)
    assert await lender.submitted(again) == "approved"
    standing = (await lender.of_application(again))["decision"]["standing"]
    assert (standing["loans_repaid"], standing["loans_open"], standing["outstanding"]) == (1, 0, "0.00")
    await lender.proves_itself()
