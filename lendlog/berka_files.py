"""The files of the Berka data set, row by row: fields by name, checked, and what is wrong named by file and line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NoReturn

from shared.errors import MissingPrecondition, Refusal
from shared.money import minor_units

CURRENCY = "CZK"


class DamagedFile(MissingPrecondition):
    """A row of the data set can't be what the bank published."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file, its fields by name."""

    file: Path
    line: int
    fields: dict[str, str]

    def damaged(self, why: str) -> NoReturn:
        """Raise DamagedFile with file and line."""
        raise DamagedFile(f"{self.file}, line {self.line}: {why}. Get the file anew.")

    def word(self, name: str) -> str:
        """The field without its quotation marks."""
        return self.fields[name].strip('"').strip()

    def number(self, name: str) -> str:
        """A positive integer, as it stands in the file."""
        text = self.fields[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
            self.damaged(f"{name} {text[:40]!r} is not a number")
        return text

    def day(self, name: str) -> date:
        """A date written YYMMDD, of the twentieth century."""
        text = self.fields[name]
        if not (text.isascii() and text.isdigit() and len(text) == 6):
            self.damaged(f"{name} {text[:40]!r} is not a date YYMMDD")
        try:
            return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))
        except ValueError:
            self.damaged(f"{name} {text} is not a day of the calendar")

    def amount(self, name: str, *, signed: bool = False) -> int:
        """Minor units of CURRENCY."""
        text = self.fields[name]
        try:
            found = minor_units(text.removeprefix("-") if signed else text, CURRENCY)
        except Refusal as refusal:
            self.damaged(f"{name}: {refusal.detail.rstrip('.')}")
        return -found if text.startswith("-") else found


def rows(file: Path, names: Sequence[str], *, quoted: bool = True) -> Iterator[Row]:
    """The rows of a file whose header is `names`, in quotation marks or not. Raises MissingPrecondition if it can't be
    read, DamagedFile for another header or number of fields."""
    try:
        lines = file.read_text(encoding="latin-1").removesuffix("\n").split("\n")
    except OSError as error:
        raise MissingPrecondition(
            f"{file} can't be read ({error.strerror}): name the folder of the data set."
        ) from None
    header = ";".join(f'"{name}"' if quoted else name for name in names)
    if lines[0].strip() != header:
        raise DamagedFile(f"{file}, line 1: the header is not {header}. Get the file anew.")
    for line, text in enumerate(lines[1:], start=2):
        fields = text.split(";")
        row = Row(file, line, dict(zip(names, fields, strict=False)))
        if len(fields) != len(names):
            row.damaged(f"{len(fields)} fields instead of {len(names)}")
        yield row
