"""Every rules file of this service, read and checked once at the start: products, policies, scorecards, rate caps.

A file that is not in order is refused by name, and the process does not start: half a rule decides nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from services.origination.policy import Policy
from services.origination.product import Product
from services.origination.rate_caps import RateCaps, check
from services.origination.scorecard import Scorecard
from shared.errors import Refusal

HERE = Path(__file__).parent


class BadRulesFile(Refusal):
    """A rules file is not in order."""


class VersionTwice(Refusal):
    """Two rules files have the same name and version."""


class UnknownProduct(Refusal):
    """There is no such product, or not at this date."""


class NoPolicyInForce(Refusal):
    """No credit policy is in force on this date."""


class Versioned(Protocol):
    """What a rules file of one thing at a version has."""

    @property
    def name(self) -> str: ...

    @property
    def valid_from(self) -> date: ...

    @property
    def named(self) -> str: ...


VersionedT = TypeVar("VersionedT", bound=Versioned)
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, by `name@version`."""

    products: dict[str, Product]
    policies: dict[str, Policy]
    scorecards: dict[str, Scorecard]
    rate_caps: RateCaps

    def product(self, name: str, day: date) -> Product:
        """A product by `name@version`, or by name the version that is offered on `day`. Raises UnknownProduct."""
        found = self.products.get(name) or latest((one for one in self.products.values() if one.name == name), day)
        if found is None or found.valid_from > day or (found.valid_until is not None and day > found.valid_until):
            raise UnknownProduct(f"No product {name[:80]!r} is offered on {day}.", field="product")
        return found

    def contracted(self, named: str) -> Product:
        """The product that an application froze; it stays, offered or not. Raises UnknownProduct."""
        if named not in self.products:
            raise UnknownProduct(f"There is no product {named[:80]!r}.", field="product")
        return self.products[named]

    def policy(self, day: date) -> Policy:
        """The credit policy in force. Raises NoPolicyInForce."""
        found = latest(self.policies.values(), day)
        if found is None:
            raise NoPolicyInForce(f"No credit policy is in force on {day}.")
        return found

    def scorecard(self, policy: Policy) -> Scorecard:
        """The scorecard that a policy names."""
        return self.scorecards[policy.scorecard]


def latest(versions: Iterable[VersionedT], day: date) -> VersionedT | None:
    """The version that came into force last, up to a date."""
    known = [one for one in versions if one.valid_from <= day]
    return max(known, key=lambda one: one.valid_from) if known else None


def parse(text: str, model: type[ModelT], *, where: str) -> ModelT:
    """A rules file's text as its model. Raises BadRulesFile, and what the model's own checks raise (BandGap, …)."""
    try:
        return model.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        place = error.errors()[0]
        field = "/".join(map(str, place["loc"]))
        raise BadRulesFile(f"{where}: {field}: {place['msg']}", field=field or None) from error
    except yaml.YAMLError as error:
        raise BadRulesFile(f"{where} is not YAML: {error}") from error


def _folder(folder: Path, pattern: str, model: type[ModelT]) -> list[ModelT]:
    files = sorted(folder.glob(pattern))
    if not files:
        raise BadRulesFile(f"{folder.name} holds no {pattern}.")
    return [parse(file.read_text(encoding="utf-8"), model, where=file.name) for file in files]


def named_once(versions: Iterable[VersionedT]) -> dict[str, VersionedT]:
    """The rules of one kind by `name@version`. Raises VersionTwice."""
    found: dict[str, VersionedT] = {}
    for one in versions:
        if one.named in found:
            raise VersionTwice(f"{one.named} is there twice.")
        if any(other.name == one.name and other.valid_from == one.valid_from for other in found.values()):
            raise VersionTwice(f"Two versions of {one.name} come into force on {one.valid_from}.")
        found[one.named] = one
    return found


@lru_cache(maxsize=4)
def load(folder: Path = HERE) -> Rules:
    """The rules of a folder with products/, policies/ and scorecards/."""
    rules = Rules(
        products=named_once(_folder(folder / "products", "*.yaml", Product)),
        policies=named_once(_folder(folder / "policies", "credit-*.yaml", Policy)),
        scorecards=named_once(_folder(folder / "scorecards", "*.yaml", Scorecard)),
        rate_caps=_folder(folder / "policies", "rate-caps.yaml", RateCaps)[0],
    )
    check(rules.rate_caps)
    for policy in rules.policies.values():
        if policy.scorecard not in rules.scorecards:
            raise BadRulesFile(f"{policy.named} names {policy.scorecard}, which is not there.", field="scorecard")
    return rules
