"""Aligned tables of text, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, left: int = 1) -> Iterator[str]:
    """A header and a line a row; the first `left` columns are text and stand left, the others are figures and right."""
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [["" if row[name] is None else str(row[name]) for name in columns] for row in rows]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    for line in cells:
        aligned = [
            cell.ljust(width) if n < left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(aligned).rstrip()
