"""Origination as the platform sees it: its inbox, its fold, its tables."""

from pathlib import Path

from services.origination.fold import OriginationFold
from shared.streams.subject_service import SubjectService
from shared.topics import ORIGINATION_INBOX

SERVICE = SubjectService(
    name="origination",
    inbox=ORIGINATION_INBOX,
    fold=OriginationFold,
    migrations=Path(__file__).with_name("migrations"),
)
API_MIGRATIONS = Path(__file__).with_name("api_migrations")
"""The API's own tables: the vault. They come after `shared.commands.MIGRATIONS` in the same schema."""
