"""The ledger's API as an application."""

from fastapi import FastAPI

from services.ledger.access_matrix import MATRIX
from services.ledger.api.bank import BANK_BODIES
from services.ledger.api.debits import DEBIT_BODIES
from services.ledger.api.pay_outs import PAY_OUT_BODIES
from services.ledger.api.routes import ROUTES
from services.ledger.api.serving import Services
from shared import api


def create_app(services: Services) -> FastAPI:
    """The application. Raises UnlistedRoute when routes and access matrix are not the same set."""
    bodies = BANK_BODIES | DEBIT_BODIES | PAY_OUT_BODIES
    return api.create_app("Lendlog ledger", ROUTES, MATRIX, services, bodies=bodies)
