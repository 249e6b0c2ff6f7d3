"""The ledger over HTTP: contract, pay out, repay, reverse, close, read the books. `python -m services.ledger.api`."""

from services.ledger.api.app import create_app
from services.ledger.api.serving import Services

__all__ = ["Services", "create_app"]
