"""Checks policy files by the models and loaders of the services that read them: every finding by name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lendlog.policies.advice import advice
from lendlog.policies.document import Document, NoSuchValue, read
from lendlog.policies.kinds import CREDIT, KINDS, SCORECARD, Kind, kind_of
from services.origination.rules import HERE as ORIGINATION
from shared.errors import Refusal, rule_named

UNUSABLE = ("not-readable", "not-yaml", "unknown-kind")
"""Rules whose files are no policy files at all."""
_WORD = re.compile(r"[A-Za-z0-9@.-]*[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: the rule that is broken, in which file, at which key (`rows/2/start`) and line (from 1) where they
    are known, what it says, and what to do."""

    rule: str
    file: str
    what: str
    key: str | None = None
    line: int | None = None

    @property
    def todo(self) -> str:
        """What to do about it."""
        return advice(self.rule)


@dataclass(frozen=True, slots=True)
class Checked:
    """`kinds`: file → what it is, of those that are policy files."""

    kinds: dict[str, str]
    findings: list[Finding]


def house_files(root: Path) -> list[Path]:
    """Every policy file below a folder, in order of path: YAML in the folders that services read."""
    folders = ("policies", "products", "scorecards", "lessons", "lender", "profiles")
    return sorted(file for file in root.rglob("*.yaml") if file.parent.name in folders)


def check(files: Sequence[Path]) -> Checked:
    """Check each file alone, then all of one kind together: dated rows may go on in the next file.

    A kind with a broken file is not looked at together: what is missing there would be found twice.
    """
    kinds, findings = dict[str, str](), list[Finding]()
    found, broken = defaultdict[str, list[tuple[Document, Any]]](list), set[str]()
    for file in files:
        document, problems = _read(file)
        kind = None if document is None else kind_of(document.content)
        if document is not None and kind is None:
            known = "; ".join(f"{one.name} ({' '.join(sorted(one.told_by))})" for one in KINDS)
            problems.append(Finding("unknown-kind", str(file), f"No kind of policy has these keys. There are {known}."))
        elif document is not None and kind is not None:
            kinds[str(file)] = kind.name
            value, wrong = _validated(kind, document)
            problems += wrong
            if problems:
                broken.add(kind.name)
            else:
                found[kind.name].append((document, value))
        findings += problems
    for kind in KINDS:
        if found[kind.name] and kind.name not in broken:
            findings += _together(kind, found[kind.name])
    if SCORECARD.name not in broken:
        findings += _cards_named(found[CREDIT.name], [card for _, card in found[SCORECARD.name]])
    return Checked(kinds, findings)


def _read(file: Path) -> tuple[Document | None, list[Finding]]:
    try:
        document = read(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return None, [Finding("not-readable", str(file), f"The file can't be read: {reason}.")]
    except NoSuchValue as error:
        return None, [Finding("bad-value", str(file), f"There is no {error.text}.", line=error.line)]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = str(getattr(error, "problem", None) or error).split("\n")[0]
        return None, [Finding("not-yaml", str(file), f"{what}.", line=mark.line + 1 if mark else None)]
    twice = [
        Finding("key-twice", str(file), f"The key {key} is there twice.", key, line)
        for key, line in document.keys_twice()
    ]
    return document, twice


def _validated(kind: Kind, document: Document) -> tuple[Any, list[Finding]]:
    try:
        return kind.model.validate_python(document.content), []
    except ValidationError as error:
        return None, [_of_error(one, document) for one in error.errors(include_url=False)]
    except Refusal as refusal:
        return None, [_located(_rule(refusal), refusal.detail, refusal.field, [document])]


def _of_error(error: ErrorDetails, document: Document) -> Finding:
    """What a model refuses: a key that is missing or unknown, a value, or a rule of the rows."""
    path, cause = error["loc"], error.get("ctx", {}).get("error")
    rules = {"missing": "key-missing", "extra_forbidden": "unknown-key"}
    rule = _rule(cause) if isinstance(cause, Exception) else rules.get(error["type"], "bad-value")
    path = tuple(step for n, step in enumerate(path) if not _is_tag(path[:n], step, document))
    key = "/".join(map(str, path)) or None
    what = f"{key or 'the whole'}: {error['msg'].removeprefix('Value error, ')}"
    return Finding(rule, str(document.file), what.rstrip(".") + ".", key, document.line_of(path))


def _is_tag(before: Sequence[Any], step: Any, document: Document) -> bool:
    """Whether a step is the name of a union's member, which pydantic puts between the keys of the file."""
    here = document.at(before)
    return isinstance(here, dict) and isinstance(step, str) and step not in here and step in map(str, here.values())


def _together(kind: Kind, found: Sequence[tuple[Document, Any]]) -> Iterator[Finding]:
    documents = [document for document, _ in found]
    try:
        kind.together([value for _, value in found])
    except Refusal as refusal:
        yield _located(_rule(refusal), refusal.detail, refusal.field, documents)
    except ValueError as error:  # PolicyRefused of the dated rows
        yield _located(_rule(error), f"{error}.".replace("..", "."), None, documents)


def _cards_named(policies: Sequence[tuple[Document, Any]], cards: Sequence[Any]) -> Iterator[Finding]:
    """Credit policies that name a scorecard which is neither among the files nor among the house's."""
    known = {card.named for card in cards} | set(_house_cards())
    for document, policy in policies:
        if policy.scorecard not in known:
            what = f"{policy.named} names {policy.scorecard}; there are {', '.join(sorted(known))}."
            yield Finding("unknown-scorecard", str(document.file), what, "scorecard", document.line_of(["scorecard"]))


def _house_cards() -> Iterator[str]:
    for file in sorted((ORIGINATION / "scorecards").glob("*.yaml")):
        yield SCORECARD.model.validate_python(read(file).content).named


def _rule(error: Exception) -> str:
    return "bad-value" if type(error) is ValueError else rule_named(type(error))


def _located(rule: str, what: str, field: str | None, documents: Sequence[Document]) -> Finding:
    """The finding where the file has what it speaks of: its field (`arrears now` is a path), else names and dates."""
    for path in [field.split(), [field]] if field else []:
        for document in documents:
            if document.at(path) is not None:
                line = document.line_of(path)
                return Finding(rule, str(document.file), what, "/".join(path), line)
    for words in _groups(what, field):
        for document in documents:
            if (line := document.line_with(words)) is not None:
                return Finding(rule, str(document.file), what, field, line)
    return Finding(rule, str(documents[0].file), what, field)


def _groups(what: str, field: str | None) -> Iterable[list[str]]:
    """What to look for, the most telling first: the field, its last word, dates and versions, other words."""
    words = _WORD.findall(what)
    if field:
        yield [field]
        yield [field.split()[-1]]
    yield [word for word in reversed(words) if any(letter.isdigit() for letter in word)]
