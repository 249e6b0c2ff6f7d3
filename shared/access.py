"""Who calls: bearer tokens, kept as SHA-256 hashes, and roles. What no rule allows is denied."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard, get_args

import asyncpg

from shared.errors import Refusal

Role = Literal["officer", "teller", "operator", "auditor"]
"""officer: agrees and pays out loans, takes payments back; teller: records payments; operator: runs the book (opening,
closing, parked loans, dead letters); auditor: reads everything, changes nothing."""
ROLES: frozenset[Role] = frozenset(get_args(Role))

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


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a token: the token's name, and its role."""

    name: str
    role: Role


def is_role(role: str) -> TypeGuard[Role]:
    """Whether this is one of ROLES."""
    return role in ROLES


def token_hash(token: str) -> bytes:
    """What is stored of a token. A token is 32 random bytes, so a plain hash can't be guessed back."""
    return hashlib.sha256(token.encode()).digest()


async def issue(connection: Any, *, name: str, role: str) -> str:
    """Make a token of a new name and return it, the only time that it can be seen. Raises UnknownRole.

    A name that exists gets the new token and role in place of the old ones. `connection` is asyncpg's, with the search
    path set to the schema that holds the table `token`.
    """
    if not is_role(role):
        raise UnknownRole(f"{role[:40]!r} is not one of {', '.join(sorted(ROLES))}.", field="role")
    token = f"lendlog_{secrets.token_urlsafe(TOKEN_BYTES)}"
    await connection.execute(_ISSUE, token_hash(token), role, name)
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
    return Caller(row["name"], role)


_ISSUE = """
INSERT INTO token (token_hash, role, name) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash, role = excluded.role, created_at = now()
"""
_IDENTIFY = "SELECT name, role FROM token WHERE token_hash = $1"
