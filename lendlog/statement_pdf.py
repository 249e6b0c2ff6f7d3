"""The statement of a loan's account as a PDF: A4, ids and no personal data, the same document gives the same bytes.

Latin text is set in Helvetica, which every reader has. Anything else is set in STSong-Light, a font of the Adobe-GB1
characters that is named and not embedded: a reader shows Chinese where the machine has a Chinese font, and no font file
comes with the product. The text itself can be searched and copied anywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import CondPageBreak, Flowable, Paragraph, SimpleDocTemplate, Table

from lendlog.loan_reading import INSTALMENTS, RESETS, SIDES, TRANSACTIONS, percent
from lendlog.statement_words import WORDS, word

LATIN, BOLD, CHINESE = "Helvetica", "Helvetica-Bold", "STSong-Light"
MARGIN = 15 * mm
WIDTH = A4[0] - 2 * MARGIN
PADDING = 6
"""What the page's frame leaves free at each side, in points."""
SIZE, LEADING = 7.5, 10
CHARGES = ("part", "name", "due_date", "amount", "paid", "waived", "outstanding")
_TEXT = {"code", "due_date", "date", "kind", "part", "name", "account", "number"}
_WORDS = {"kind", "part", "account"}
_RULE = colors.HexColor("#9aa3ad")

_plain = ParagraphStyle("plain", fontName=LATIN, fontSize=SIZE, leading=LEADING)
_right = ParagraphStyle("right", _plain, alignment=2)
_heading = ParagraphStyle("heading", _plain, fontName=BOLD, fontSize=10, leading=13, spaceBefore=10, spaceAfter=3)
_title = ParagraphStyle("title", _plain, fontName=BOLD, fontSize=15, leading=19, spaceAfter=6)


def statement_pdf(document: dict[str, Any], *, lender: str = "", language: str = "en") -> bytes:
    """A statement with balances (see `queries.statement_view`, `queries.balances_view`) as the bytes of a PDF."""
    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    _, pages = _built(document, lender, language, pages=0)
    written, _ = _built(document, lender, language, pages=pages)
    return written


def _built(document: dict[str, Any], lender: str, language: str, *, pages: int) -> tuple[bytes, int]:
    """The PDF and how many pages it has, which its own feet tell once it is known."""
    words, written = WORDS[language], BytesIO()
    dates = f"{document['loan_id']} · {words['dates'].format(**_dates(document))}"

    def foot(canvas: Canvas, template: Any) -> None:
        _write(canvas, dates, right=False)
        _write(canvas, words["page"].format(page=template.page, pages=pages), right=True)

    template = SimpleDocTemplate(
        written,
        pagesize=A4,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN + 5 * mm,
        title=f"{words['title']} {document['loan_id']}",
        author=lender,
        invariant=1,
    )
    template.build(list(_story(document, lender, language)), onFirstPage=foot, onLaterPages=foot)
    return written.getvalue(), template.page


def _write(canvas: Canvas, text: str, *, right: bool) -> None:
    """Text at the foot of a page, at one of its sides."""
    runs = [(font, run, pdfmetrics.stringWidth(run, font, SIZE)) for font, run in _runs(text)]
    x = A4[0] - MARGIN - sum(width for _, _, width in runs) if right else MARGIN
    for font, run, width in runs:
        canvas.setFont(font, SIZE)
        canvas.drawString(x, MARGIN, run)
        x += width


def _dates(document: dict[str, Any]) -> dict[str, str]:
    return {"known": document["as_of"]["known"], "effective": document["as_of"]["date"]}


def _story(document: dict[str, Any], lender: str, language: str) -> Iterator[Flowable]:
    words = WORDS[language]
    yield _text(words["title"], _title)
    yield _pairs(_head(document, lender, language), language)
    yield _text(words["dates"].format(**_dates(document)), _plain)
    if document["parked"]:
        yield _text(words["parked"].format(since=document["parked"]["since"]), _plain)
    lists: tuple[tuple[str, Sequence[str]], ...] = (
        ("instalments", (*INSTALMENTS, "paid_on")),
        ("transactions", TRANSACTIONS),
        ("charges", CHARGES),
    )
    for name, columns in lists:
        if document[name]:
            yield CondPageBreak(25 * mm)
            yield _heading_of(word(name, language))
            yield _table(document[name], columns, language)
    if (rate := document["reference_rate"]) and rate["resets"]:
        yield CondPageBreak(25 * mm)
        yield _heading_of(word("resets", language))
        yield _table(rate["resets"], RESETS, language)
    for code, one in document["balances"].items():
        yield CondPageBreak(25 * mm)
        yield _heading_of(words["in"].format(name=word("balances", language), code=code))
        yield _table(one["accounts"], SIDES, language)


def _heading_of(text: str) -> Paragraph:
    return _text(text[:1].upper() + text[1:], _heading)


def _head(document: dict[str, Any], lender: str, language: str) -> Iterator[tuple[str, str]]:
    """Names and values at the head of the statement."""
    if lender:
        yield "lender", lender
    for name in ("loan_id", "borrower_id", "product", "currency"):
        if document[name]:
            yield name, document[name]
    yield "status", word(document["status"], language)
    if document["charged_off_on"]:
        yield "charged_off_on", document["charged_off_on"]
    if terms := document["terms"]:
        words = WORDS[language]
        rate = words["rate"].format(rate=percent(terms["annual_rate"]), day_count=terms["day_count"])
        yield "terms", f"{word(terms['kind'], language)}, {terms['principal']} {terms['currency']}, {rate}"
        unit = word(terms["unit"], language)
        yield "schedule", words["every"].format(count=terms["instalments"], every=terms["every"], unit=unit)
        yield "first_due_date", terms["first_due_date"]
    if rate := document["reference_rate"]:
        now = "" if rate["annual_rate"] is None else f": {percent(rate['annual_rate'])}"
        yield "reference_rate", rate["index"] + now
        if rate["next_reset_on"]:
            yield "next_reset_on", rate["next_reset_on"]
    for name in ("principal_outstanding", "outstanding", "overpaid"):
        yield name, document[name]


def _pairs(pairs: Iterator[tuple[str, str]], language: str) -> Table:
    cells = [[_text(word(name, language), _plain), _text(value, _plain)] for name, value in pairs]
    style = [("LEFTPADDING", (0, 0), (-1, -1), 0), *_tight()]
    return Table(cells, colWidths=[40 * mm, WIDTH - 40 * mm], style=style, hAlign="LEFT")


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], language: str) -> Table:
    """Rows under a header that is repeated on every page; words stand left, figures right."""
    styles = [_plain if name in _TEXT else _right for name in columns]
    cells = [[_text(word(name, language), style) for name, style in zip(columns, styles, strict=True)]]
    cells += [
        [_text(_cell(name, row[name], language), style) for name, style in zip(columns, styles, strict=True)]
        for row in rows
    ]
    widths = [_width(name) for name in columns]
    scale = WIDTH / sum(widths)
    style = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, _RULE),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
        *_tight(),
    ]
    return Table(cells, colWidths=[width * scale for width in widths], repeatRows=1, style=style)


def _width(column: str) -> float:
    """How wide a column is beside others: names want most, a number least."""
    return {"number": 0.5, "kind": 1.6, "name": 1.6, "account": 2.0, "paid_on": 1.2}.get(column, 1.0)


def _tight() -> list[tuple[Any, ...]]:
    return [
        ("TOPPADDING", (0, 0), (-1, -1), 0.8),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0.8),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]


def _cell(column: str, value: Any, language: str) -> str:
    if value is None:
        return ""
    return word(value, language) if column in _WORDS else str(value)


def _text(text: str, style: ParagraphStyle) -> Paragraph:
    """A paragraph, each run of it in a font that has its characters."""
    marked = [
        escape(run) if font == LATIN else f'<font name="{font}">{escape(run)}</font>' for font, run in _runs(text)
    ]
    return Paragraph("".join(marked), style)


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """The text in runs of one font: Latin as far as Windows-1252 goes, else Chinese."""
    for latin, run in groupby(text, _is_latin):
        yield LATIN if latin else CHINESE, "".join(run)


def _is_latin(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
