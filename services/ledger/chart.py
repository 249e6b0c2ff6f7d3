"""The lender's chart of accounts: which of its general ledger accounts plays each role that the engine posts to.

Journals keep the roles, as numbers; reports show the accounts. So a lender may recode its chart without a replay: what
was booked is told under the accounts of now. The chart is a YAML file (policies/chart-of-accounts.yaml is the default,
LENDLOG_CHART names another): `name`, and `accounts` with `code`, `name`, `class` and the `roles` that it plays.
"""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ledger.engine.accounts import CASH, NAMES
from shared.errors import MissingPrecondition

DEFAULT = Path(__file__).with_name("policies") / "chart-of-accounts.yaml"
ASSET, LIABILITY, EQUITY, INCOME, EXPENSE = "asset", "liability", "equity", "income", "expense"
ROLES = {name: number for number, name in NAMES.items()}
_ALLOWED = {1: (ASSET,), 2: (LIABILITY,), 3: (EQUITY,), 4: (INCOME, EXPENSE), 5: (INCOME, EXPENSE)}
"""Classes by a role's first digit: what reduces income may as well be an expense, and the other way round."""
_OF_CASH = (ASSET, LIABILITY)
"""Money may go through a clearing account that the lender owes."""


class BadChart(MissingPrecondition):
    """The chart of accounts can't be used: which file, which account or role, what is wrong."""


class Account(BaseModel):
    """An account of the general ledger, and the roles that it plays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,20}$", strict=True)]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    kind: Annotated[Literal["asset", "liability", "equity", "income", "expense"], Field(alias="class")]
    roles: tuple[str, ...] = ()


class Chart(BaseModel):
    """A chart in which every role has one account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    accounts: tuple[Account, ...]

    def by_role(self) -> dict[int, Account]:
        """The account of each role's number."""
        return {ROLES[role]: account for account in self.accounts for role in account.roles}


def load(path: Path) -> Chart:
    """The chart in a file. Raises BadChart."""
    try:
        chart = Chart.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadChart(f"The chart of accounts {path} can't be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise BadChart(f"The chart of accounts {path} is not YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadChart(f"{path}: {'/'.join(map(str, first['loc'])) or 'chart'}: {first['msg']}.") from error
    if (problem := problem_of(chart)) is not None:
        raise BadChart(f"{path}: {problem}")
    return chart


def problem_of(chart: Chart) -> str | None:
    """What is wrong with a chart, as a sentence."""
    codes = Counter(account.code for account in chart.accounts)
    if twice := next((code for code, count in codes.items() if count > 1), None):
        return f"two accounts have the code {twice}: give an account several roles instead."
    seen: dict[str, str] = {}
    for account in chart.accounts:
        for role in account.roles:
            if role not in ROLES:
                return f"{account.code} plays {role}, which is no role: they are {', '.join(ROLES)}."
            if role in seen:
                return f"{seen[role]} and {account.code} both play {role}."
            allowed = _OF_CASH if ROLES[role] == CASH else _ALLOWED[ROLES[role] // 1000]
            if account.kind not in allowed:
                return f"{account.code} is of class {account.kind}, but {role} is {' or '.join(allowed)}."
            seen[role] = account.code
    if missing := [role for role in ROLES if role not in seen]:
        return f"no account plays {', '.join(missing)}."
    return None


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LENDLOG_", extra="ignore")

    chart: Path = DEFAULT


@cache
def accounts() -> dict[int, Account]:
    """The accounts of this process's chart by the number of the role. Raises BadChart."""
    return load(_Settings().chart).by_role()
