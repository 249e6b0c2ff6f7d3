"""Who calls: bearer tokens, kept as SHA-256 hashes, and roles; the form of an access matrix. What no rule allows is
denied."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeGuard, get_args

import asyncpg

from shared.errors import Refusal

Role = Literal[
    "officer",
    "approver",
    "teller",
    "risk",
    "collector",
    "supervisor",
    "accountant",
    "operator",
    "auditor",
    "accountant",
    "service",
    "applicant",
]
"""officer: agrees and pays out loans, takes payments back.
approver: the second person of a maker-checker pair; decides on what an officer or accountant prepared.
teller: records payments.
risk: watches alerts and what becomes of them.
collector: works the cases of borrowers in arrears.
supervisor: leads the collectors; hands out cases, approves what a collector may not grant alone.
accountant: keeps the books beside the loans; values them at a period end.
operator: runs the platform (opening and closing dates, parked loans, dead letters).
auditor: reads everything, changes nothing.
accountant: proposes manual entries, decides on those of others, closes accounting periods.
service: another service of the platform.
applicant: the borrower; bound to one borrower id, and shown nothing of another's."""
ROLES: frozenset[Role] = frozenset(get_args(Role))

PUBLIC: Final = "public"
"""Answers without a token: what probes and scrapers read; it holds no figure of any loan."""
Matrix = Mapping[tuple[str, str], tuple[Role, ...] | Literal["public"]]
"""Who may do what: (method, route) to the roles that it lets in, or PUBLIC. Every other role is denied."""

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{1,200}=*) *", re.IGNORECASE)
TOKEN_BYTES = 32


class Unauthenticated(Refusal):
    """A valid bearer token is needed."""

    status = 401


class Forbidden(Refusal):
    """The token's role may not do this."""

    status = 403


class UnknownRole(Refusal):
    """There is no such role."""

    status = 403


class ApplicantNotBound(Refusal):
    """An applicant's token is bound to one borrower, and no other token is."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a token: the token's name, its role, and the borrower whom an applicant is (else None)."""

    name: str
    role: Role
    borrower_id: str | None = None


def is_role(role: str) -> TypeGuard[Role]:
    """Whether this is one of ROLES."""
    return role in ROLES


def token_hash(token: str) -> bytes:
    """What is stored of a token. A token is 32 random bytes, so a plain hash can't be guessed back."""
    return hashlib.sha256(token.encode()).digest()


async def issue(connection: Any, *, name: str, role: str, borrower_id: str | None = None) -> str:
    """Make a token of a new name and return it, the only time that it can be seen. Raises UnknownRole, and
    ApplicantNotBound unless `borrower_id` is given for the role applicant and for no other.

    A name that exists gets the new token and role in place of the old ones. `connection` is asyncpg's, with the search
    path set to the schema that holds the table `token`.
    """
    if not is_role(role):
        raise UnknownRole(f"{role[:40]!r} is not one of {', '.join(sorted(ROLES))}.", field="role")
    if (role == "applicant") != (borrower_id is not None):
        raise ApplicantNotBound(f"The role is {role}, the borrower id {borrower_id}.", field="borrower_id")
    token = f"lendlog_{secrets.token_urlsafe(TOKEN_BYTES)}"
    await connection.execute(_ISSUE, token_hash(token), role, name, borrower_id)
    return token


async def identify(pool: asyncpg.Pool, authorization: str | None) -> Caller:
    """The caller of an `Authorization` header (RFC 6750). Raises Unauthenticated, or UnknownRole (denied as well).

    Looked up by hash on every call: nothing about the token can be learnt from the time that it takes, and a token that
    was taken back is refused at once.
    """
    found = _BEARER.fullmatch(authorization or "")
    if found is None:
        raise Unauthenticated("Send `Authorization: Bearer <token>`.")
    row = await pool.fetchrow(_IDENTIFY, token_hash(found[1]))
    if row is None:
        raise Unauthenticated("The token is not known.")
    role: str = row["role"]
    if not is_role(role):
        raise UnknownRole(f"The token's role {role[:40]!r} is not one of {', '.join(sorted(ROLES))}.")
    return Caller(row["name"], role, row["borrower_id"])


_ISSUE = """
INSERT INTO token (token_hash, role, name, borrower_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET
    token_hash = excluded.token_hash, role = excluded.role, borrower_id = excluded.borrower_id, created_at = now()
"""
_IDENTIFY = "SELECT name, role, borrower_id FROM token WHERE token_hash = $1"
