"""Accounts for a file are asked of origination: who has none is known, and what can't be read is no missing account."""

import pytest
from aiohttp import web

from lendlog.borrower_accounts import accounts_of
from shared.errors import MissingPrecondition

ANSWERS = {"none": 404, "erased": 409, "away": 503, "forbidden": 403}
ACCOUNT = {"holder": "王小明", "iban": None, "number": "6200", "bank_code": "000000000000", "clearing": "CNAPS"}


async def asked(*borrowers: str) -> dict[str, str]:
    """The names of those who have an account."""

    async def account(request: web.Request) -> web.Response:
        assert (request.query["purpose"], request.headers["authorization"]) == ("direct-debit", "Bearer a-token")
        status = ANSWERS.get(request.match_info["borrower"], 200)
        return web.json_response(ACCOUNT | {"bic": None} if status == 200 else {}, status=status)

    app = web.Application()
    app.router.add_get("/v1/parties/{borrower}/account", account)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        return {name: one.name for name, one in (await accounts_of(url, "a-token", borrowers, "direct-debit")).items()}
    finally:
        await runner.cleanup()


async def test_who_has_no_account_or_is_erased_is_left_out() -> None:
    assert await asked("b-1", "none", "erased", "b-2", "b-1") == {"b-1": "王小明", "b-2": "王小明"}
    assert await asked() == {}


@pytest.mark.parametrize("borrower", ["away", "forbidden"])
async def test_what_can_not_be_read_makes_no_file(borrower: str) -> None:
    with pytest.raises(MissingPrecondition, match="Origination answers"):
        await asked("b-1", borrower)
    with pytest.raises(MissingPrecondition, match="does not answer"):
        await accounts_of("http://127.0.0.1:1", "a-token", ["b-1"], "direct-debit")
