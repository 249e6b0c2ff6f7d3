"""What a decision rests on: the application's own facts, and what is known here of who asks."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared.events.applications import Document, Guarantee, Request, StandingSeen, Statement
from shared.events.parties import Party


@dataclass(frozen=True, slots=True)
class Facts:
    """What an application says, and what is known here of who asks."""

    party: Party
    request: Request
    statement: Statement
    documents: Sequence[Document]
    guarantees: Sequence[Guarantee]
    standing: StandingSeen

    def sha256(self) -> str:
        """Of the canonical JSON of all facts: names sorted, no blanks, UTF-8."""
        whole = {
            "party": self.party.model_dump(mode="json"),
            "request": self.request.model_dump(mode="json"),
            "statement": self.statement.model_dump(mode="json"),
            "documents": [document.model_dump(mode="json") for document in self.documents],
            "guarantees": [guarantee.model_dump(mode="json") for guarantee in self.guarantees],
            "standing": self.standing.model_dump(mode="json"),
        }
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
