"""The tables of a service that keeps a state per borrower: a method per statement (migrations/0000_inbox.sql)."""

from shared.streams.subject_store.aside import dead_letters_view, held_view, is_taken_in, parked_view
from shared.streams.subject_store.positions import MIGRATIONS, SubjectStore, create_tables
from shared.streams.subject_store.transaction import SubjectTransaction

__all__ = [
    "MIGRATIONS",
    "SubjectStore",
    "SubjectTransaction",
    "create_tables",
    "dead_letters_view",
    "held_view",
    "is_taken_in",
    "parked_view",
]
