"""What is read of a bank's file: amounts, dates and what may be kept; and every bad file by its name."""

from datetime import date

import pytest

from services.ledger.bank import refusals
from services.ledger.bank.desk import read_file
from services.ledger.bank.lender import read_lender
from services.ledger.bank.references import kept, tokens
from shared.errors import Refusal
from tests.unit.ledger.bank.samples import IBAN, PERSON, PERSONS_IBAN, balance, camt, entry

LENDER = read_lender()
SUMMARY = (
    "<TxsSummry><TtlNtries><NbOfNtries>{count}</NbOfNtries><Sum>{sum}</Sum>"
    "<TtlNetNtry><Amt>{net}</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>"
    "<TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>100.00</Sum></TtlCdtNtries></TxsSummry>"
)


@pytest.mark.parametrize("version", ["02", "08", "13"])
def test_every_version_of_camt053_reads_the_same(version: str) -> None:
    form = "02" if version == "02" else "08"
    content = camt(
        entry("100.00", e2e="loan-1", value="2024-02-29", version=form),
        entry("-40.50", on="2024-02-27", version=form, bank="B-2"),
        entry("7.00", status="PDNG", version=form),
        closing="5059.50",
        version=version,
    )
    (statement,) = read_file(content, None, LENDER)
    assert (statement.number, statement.statement_id, statement.sequence) == (IBAN, "S-1", 1)
    assert (statement.opening, statement.closing, statement.currency) == (500_000, 505_950, "EUR")
    assert [(line.amount, line.booked_on, line.value_date, line.bank_reference) for line in statement.lines] == [
        (10_000, date(2024, 2, 28), date(2024, 2, 29), "B-1"),
        (-4_050, date(2024, 2, 27), date(2024, 2, 27), "B-2"),
    ]
    assert statement.pending == 1
    assert "loan-1" in statement.lines[0].tokens


def test_an_overdrawn_account_has_negative_balances() -> None:
    (statement,) = read_file(camt(entry("100.00"), opening="-150.00", closing="-50.00"), None, LENDER)
    assert (statement.opening, statement.closing) == (-15_000, -5_000)


def test_a_batch_entry_becomes_a_line_for_each_transaction_if_they_add_up() -> None:
    def batch(*amounts: str) -> str:
        details = "".join(
            f'<TxDtls><Refs><EndToEndId>loan-{n}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt></TxDtls>'
            for n, amount in enumerate(amounts, start=1)
        )
        return entry("100.00", details=details)

    (statement,) = read_file(camt(batch("60.00", "40.00"), closing="5100.00"), None, LENDER)
    assert [(line.n, line.amount, line.reference) for line in statement.lines] == [
        (1, 6_000, "loan-1"),
        (2, 4_000, "loan-2"),
    ]
    (statement,) = read_file(camt(batch("60.00", "39.00"), closing="5100.00"), None, LENDER)
    assert [(line.n, line.amount, line.reference) for line in statement.lines] == [(1, 10_000, None)]


def test_names_remittance_texts_and_account_numbers_are_not_kept() -> None:
    (statement,) = read_file(camt(entry("1.00", e2e=PERSONS_IBAN, bank=PERSON), closing="5001.00"), None, LENDER)
    (line,) = statement.lines
    assert (line.reference, line.bank_reference) == (None, None)
    assert kept("loan-1") == "loan-1"
    assert [kept(text) for text in ("NOTPROVIDED", "Vesela", "two words 1", PERSONS_IBAN, "x" * 65 + "1", None)] == [
        None
    ] * 6
    assert tokens(["Loan LOAN-17, thanks.", "inv/2024:9"]) == (
        "2024", "9", "LOAN-17", "inv/2024:9", "loan-17",
    )  # fmt: skip


def test_a_summary_counts_what_is_there() -> None:
    content = camt(
        entry("100.00"), entry("-40.00"), closing="5060.00", summary=SUMMARY.format(count=2, sum="140.00", net="60.00")
    )
    assert read_file(content, None, LENDER)[0].closing == 506_000
    pending_too = camt(
        entry("100.00"),
        entry("-40.00", status="PDNG"),
        closing="5100.00",
        summary=SUMMARY.format(count=2, sum="140.00", net="60.00"),
    )
    assert read_file(pending_too, None, LENDER)[0].pending == 1


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]><Document>&b;</Document>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Document>&e;</Document>'
TWO_ENTRIES = (entry("100.00"), entry("-40.00"))
BAD = {
    "empty": (b" \n", refusals.StatementEmpty),
    "not xml": (b"<Document><BkToCstmrStmt>", refusals.NotXml),
    "neither xml nor a profile": (b"a;b;c\n1;2;3\n", refusals.ProfileNeeded),
    "entities": (LAUGHS, refusals.HostileXml),
    "another file by entity": (OUTSIDE, refusals.HostileXml),
    "a document type": (b'<!DOCTYPE Document SYSTEM "x.dtd"><Document/>', refusals.HostileXml),
    "another message": (b"<Document><BkToCstmrAcctRpt/></Document>", refusals.NotAStatement),
    "no statement": (b"<Document><BkToCstmrStmt><GrpHdr/></BkToCstmrStmt></Document>", refusals.StatementEmpty),
    "no closing balance": (
        camt(closing="5000.00").replace(balance("CLBD", "5000.00", "2024-02-28").encode(), b""),
        refusals.NotAStatement,
    ),
    "a wrong checksum": (camt(*TWO_ENTRIES, closing="5060.01"), refusals.WrongChecksum),
    "a pending entry does not count": (camt(entry("1.00", status="PDNG"), closing="5001.00"), refusals.WrongChecksum),
    "a line in another currency": (
        camt(entry("100.00", currency="CZK"), closing="5100.00"),
        refusals.OtherCurrencyThanAccount,
    ),
    "entries that the summary does not count": (
        camt(*TWO_ENTRIES, closing="5060.00", summary=SUMMARY.format(count=3, sum="140.00", net="60.00")),
        refusals.SummaryDiffers,
    ),
    "a sum that the entries do not make": (
        camt(*TWO_ENTRIES, closing="5060.00", summary=SUMMARY.format(count=2, sum="150.00", net="60.00")),
        refusals.SummaryDiffers,
    ),
    "a net that the entries do not make": (
        camt(*TWO_ENTRIES, closing="5060.00", summary=SUMMARY.format(count=2, sum="140.00", net="61.00")),
        refusals.SummaryDiffers,
    ),
    "an amount that is none": (camt(entry("1e3"), closing="5001.00"), refusals.NotAStatement),
    "a date that is none": (camt(entry("1.00", on="28.02.2024"), closing="5001.00"), refusals.NotAStatement),
    "a line after the end": (camt(entry("1.00", on="2024-03-01"), closing="5001.00"), refusals.NotAStatement),
    "too large": (b"<" + b" " * (8 << 20), refusals.StatementTooLarge),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_by_name(name: str) -> None:
    content, kind = BAD[name]
    with pytest.raises(Refusal) as refused:
        read_file(content, None, LENDER)
    assert type(refused.value) is kind
    assert PERSON not in str(refused.value)


SEMICOLON = (
    "Buchungstag;Valuta;Betrag;Saldo;Währung;Status;Kundenreferenz;Verwendungszweck\n"
    "28.02.2024;28.02.2024;5,00;6.134,50;EUR;vorgemerkt;;Zinsen\n"
    "28.02.2024;29.02.2024;-1.000,00;6.129,50;EUR;gebucht;loan-2;Auszahlung\n"
    "27.02.2024;27.02.2024;2.129,50;7.129,50;EUR;gebucht;;Rate loan-1 Ludmila\n"
)
CREDIT_DEBIT = (
    "Export of 2024-02-29\n"
    "Account,Date,Credit,Debit,Balance,Transaction,Description\n"
    'CZ6508000000192000145399,2024-02-27,"1,000.00",,1000.00,T-1,loan-1\n'
    "CZ6508000000192000145399,2024-02-28,,250.50,749.50,T-2,loan-2\n"
)


def test_csv_profiles_are_data() -> None:
    (one,) = read_file(SEMICOLON.encode(), "semicolon", LENDER)
    assert [(line.amount, line.value_date.isoformat()) for line in one.lines] == [
        (212_950, "2024-02-27"),
        (-100_000, "2024-02-29"),
    ]
    assert (one.opening, one.closing, one.pending, one.number) == (500_000, 612_950, 1, "main-eur")
    assert one.statement_id == "csv.2024-02-27.2024-02-28"
    assert one.lines[1].reference == "loan-2"
    assert "loan-1" in one.lines[0].tokens
    (two,) = read_file(CREDIT_DEBIT.encode(), "credit-debit", LENDER)
    assert [(line.amount, line.bank_reference) for line in two.lines] == [(100_000, "T-1"), (-25_050, "T-2")]
    assert (two.opening, two.closing, two.currency) == (0, 74_950, "CZK")


BAD_CSV = {
    "no such profile": ("nobody", SEMICOLON, refusals.UnknownProfile),
    "a column is missing": ("semicolon", SEMICOLON.replace("Saldo", "Stand"), refusals.ColumnMissing),
    "a date in another form": ("semicolon", SEMICOLON.replace("27.02.2024", "2024-02-27"), refusals.UnreadableRow),
    "a row is missing": ("semicolon", SEMICOLON.replace("7.129,50", "7.000,00"), refusals.UnreadableRow),
    "another currency": ("semicolon", SEMICOLON.replace("EUR", "CZK"), refusals.OtherCurrencyThanAccount),
    "two accounts": ("credit-debit", CREDIT_DEBIT.replace("CZ65", "CZ66", 1), refusals.UnreadableRow),
    "no rows": ("semicolon", SEMICOLON.splitlines()[0], refusals.StatementEmpty),
    "an amount that is none": ("semicolon", SEMICOLON.replace("2.129,50", "viel"), refusals.UnreadableRow),
}


@pytest.mark.parametrize("name", BAD_CSV)
def test_a_bad_csv_file_is_refused_by_name(name: str) -> None:
    profile, text, kind = BAD_CSV[name]
    with pytest.raises(Refusal) as refused:
        read_file(text.encode(), profile, LENDER)
    assert type(refused.value) is kind


def test_csv_in_another_encoding_is_said() -> None:
    with pytest.raises(refusals.UnreadableRow, match="utf-8"):
        read_file(SEMICOLON.encode("latin-1"), "semicolon", LENDER)
