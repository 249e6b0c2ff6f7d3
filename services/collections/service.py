"""Collections as the platform sees it: its inbox, its fold, its tables."""

from pathlib import Path

from services.collections.fold import CollectionsFold
from shared.streams.subject_service import SubjectService
from shared.topics import COLLECTIONS_INBOX

SERVICE = SubjectService(
    name="collections",
    inbox=COLLECTIONS_INBOX,
    fold=CollectionsFold,
    migrations=Path(__file__).with_name("migrations"),
)
API_MIGRATIONS = Path(__file__).with_name("api_migrations")
"""The API's own tables: contacts and leases. They come after `shared.commands.MIGRATIONS` in the same schema."""
