"""Problem details for HTTP APIs (RFC 9457): every refusal names the rule, and the field that broke it."""

from http import HTTPStatus
from typing import Any, get_args

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from shared import telemetry
from shared.errors import Refusal
from shared.events import envelope, terms

BASE = "https://lendlog.dev/problems/"
MEDIA_TYPE = "application/problem+json"
_log = telemetry.logger(__name__)

_PATTERNS: dict[Any, tuple[str, str]] = {
    envelope.Amount: ("not-an-amount", "A plain decimal string such as 1250.00: no sign, at most 15 and 4 digits."),
    envelope.CurrencyCode: ("unknown-currency", "An ISO 4217 code: three capital letters."),
    envelope.LoanId: ("not-an-id", "1 to 64 letters, digits, dots, hyphens and underscores, no punctuation first."),
    envelope.EventId: ("not-an-event-id", "A UUID in lower case."),
    terms.AnnualRate: ("not-a-rate", "A decimal fraction such as 0.12 (12 % a year), 8 decimals at most."),
}
_BY_PATTERN = {get_args(kind)[1].pattern: rule for kind, rule in _PATTERNS.items()}
_RULES = {"extra_forbidden": "unknown-field", "missing": "missing-field", "json_invalid": "invalid-json"}


class Problem(Exception):
    """A refusal that is about HTTP itself and no command's rule."""

    def __init__(
        self, status: int, rule: str, title: str, detail: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.rule, self.title, self.detail, self.headers = status, rule, title, detail, headers


def install(app: FastAPI) -> None:
    """Make every failure of `app` a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.TooManyConnectionsError, OSError):
        app.add_exception_handler(kind, _unavailable)
    for kind in (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.AdminShutdownError, TimeoutError):
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


def document(
    request: Request,
    status: int,
    rule: str,
    title: str,
    detail: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The response. Items of `errors` have field, rule and detail; the field is a JSON pointer into the body, or begins
    with `path/`, `query/` or `header/`."""
    body: dict[str, Any] = {
        "type": BASE + rule,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, status, headers={"Cache-Control": "no-store"} | (headers or {}), media_type=MEDIA_TYPE)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    rule, title = error.rule(), (type(error).__doc__ or error.rule()).strip()
    errors = [{"field": _place(request, error.field), "rule": rule, "detail": error.detail}] if error.field else None
    headers = {"WWW-Authenticate": 'Bearer realm="lendlog"'} if error.status == HTTPStatus.UNAUTHORIZED else None
    return document(request, error.status, rule, title, error.detail, errors=errors, headers=headers)


def _place(request: Request, field: str) -> str:
    if field in request.path_params:
        return f"path/{field}"
    return f"query/{field}" if field in request.query_params else f"/{field}"


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return document(request, error.status, error.rule, error.title, error.detail, headers=error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [_named(item) for item in error.errors()]
    if errors[0]["rule"] == "invalid-json":
        return document(request, 400, "invalid-json", "The body is not JSON.", errors[0]["detail"])
    detail = "; ".join(f"{item['field']}: {item['detail']}" for item in errors[:3])
    return document(request, 422, "invalid-request", "The request is not well formed.", detail, errors=errors)


def _named(item: dict[str, Any]) -> dict[str, str]:
    """Pydantic's error as field, rule and detail; the input itself is not repeated."""
    place, *rest = item["loc"]
    field = "/" + "/".join(str(part) for part in rest) if place == "body" else "/".join(map(str, item["loc"]))
    rule, detail = _RULES.get(item["type"], item["type"].replace("_", "-")), str(item["msg"])
    if item["type"] == "string_pattern_mismatch":
        rule, detail = _BY_PATTERN.get(item["ctx"]["pattern"], (rule, detail))
    elif item["type"] == "value_error":
        detail = detail.removeprefix("Value error, ")
        rule = "bad-date" if "date" in detail else rule
    return {"field": field, "rule": rule, "detail": detail}


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI could not parse the body
        return document(request, 400, "invalid-json", "The body is not JSON.", str(error.detail))
    title = HTTPStatus(error.status_code).phrase
    rule = title.lower().replace(" ", "-")
    headers = dict(error.headers) if error.headers else None
    return document(request, error.status_code, rule, f"{title}.", str(error.detail), headers=headers)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    _log.warning("unavailable", path=request.url.path, error=repr(error))
    detail = "Nothing was recorded unless a repetition says so; send the same request again, with the same key."
    return document(request, 503, "unavailable", "A server behind this one doesn't answer.", detail, headers=_AGAIN)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected failure", path=request.url.path, error=type(error).__name__)  # the server logs the trace
    return document(request, 500, "unexpected", "Something failed that should not.", "The log has the details.")


_AGAIN = {"Retry-After": "1"}
