"""What the books say, as documents for the API and the command line: amounts are decimal text, dates ISO 8601.

Each takes an asyncpg connection whose search path holds the ledger's schema, and reads one consistent snapshot.
"""

from services.ledger.queries.aside import dead_letters_view, event_is_in, held_view, parked_view
from services.ledger.queries.balances import balances_view
from services.ledger.queries.branches import branch_cash
from services.ledger.queries.loans import (
    HISTORY,
    entries_view,
    figures,
    has_contract,
    loan_view,
    posting,
    schedule_view,
)
from services.ledger.queries.loans_at import loans_at
from services.ledger.queries.periods import BooksBehind, BooksUnbalanced, closing_report, periods_view
from services.ledger.queries.previews import preview
from services.ledger.queries.rates import rates_in, rates_view
from services.ledger.queries.reports import By, income_statement, movements, trial_balance
from services.ledger.queries.restructured import restructuring
from services.ledger.queries.schedules import schedule_of_terms
from services.ledger.queries.snapshots import snapshot
from services.ledger.queries.statements import (
    Account,
    NoPayoff,
    account,
    delinquency_view,
    payoff_of,
    payoff_view,
    statement_view,
)
from services.ledger.queries.two_dates import AsOfAhead, Dates, DatesDiffer, PeriodReversed, facts_of_rows
from services.ledger.queries.years import closing_lines

__all__ = [
    "HISTORY",
    "Account",
    "AsOfAhead",
    "BooksBehind",
    "BooksUnbalanced",
    "By",
    "Dates",
    "DatesDiffer",
    "NoPayoff",
    "PeriodReversed",
    "account",
    "balances_view",
    "branch_cash",
    "closing_lines",
    "closing_report",
    "dead_letters_view",
    "delinquency_view",
    "entries_view",
    "event_is_in",
    "facts_of_rows",
    "figures",
    "has_contract",
    "held_view",
    "income_statement",
    "loan_view",
    "loans_at",
    "movements",
    "parked_view",
    "payoff_of",
    "payoff_view",
    "periods_view",
    "posting",
    "preview",
    "rates_in",
    "rates_view",
    "restructuring",
    "schedule_of_terms",
    "schedule_view",
    "snapshot",
    "statement_view",
    "trial_balance",
]
