"""Personal data: what the vault holds, and the check digits of official numbers. None of it leaves the vault but to
whoever may read it."""

from types import ModuleType
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from stdnum.cn import ric, uscc
from stdnum.cz import dic, rc
from stdnum.exceptions import InvalidChecksum, ValidationError

from services.origination.bands import Rule
from services.origination.bank_account import BankAccount
from shared.errors import Refusal
from shared.events.parties import Channel

NumberKind = Literal["cn.ric", "cn.uscc", "cz.rc", "cz.dic", "other"]
_CHECKED: dict[str, ModuleType] = {"cn.ric": ric, "cn.uscc": uscc, "cz.rc": rc, "cz.dic": dic}
"""居民身份证 (GB 11643), 统一社会信用代码 (GB 32100), rodné číslo, IČO as DIČ; by python-stdnum."""


class WrongCheckDigit(Refusal):
    """The check digit of an official number does not fit its other digits: one of them is wrong."""


class NotAnOfficialNumber(Refusal):
    """The official number does not have its kind's form."""


class OfficialNumber(Rule):
    """A number that a state gave."""

    kind: NumberKind
    number: Annotated[str, StringConstraints(min_length=4, max_length=40, strip_whitespace=True)]

    def compact(self) -> str:
        """The number without what only makes it readable. Raises WrongCheckDigit or NotAnOfficialNumber; neither
        repeats the number."""
        module, number = _CHECKED.get(self.kind), "".join(self.number.split()).upper()
        if module is None:
            return number
        try:
            return str(module.validate(number))
        except InvalidChecksum:
            raise WrongCheckDigit(f"The number is not a valid {self.kind}.", field="number") from None
        except ValidationError:
            raise NotAnOfficialNumber(f"The number is not a {self.kind}.", field="number") from None


Email = Annotated[str, StringConstraints(pattern=r"^[^@\s<>\"]{1,64}@[^@\s<>\"]{1,190}$", max_length=254)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""E.164."""
Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Contacts(Rule):
    """Addresses by channel."""

    email: Email | None = None
    sms: Phone | None = None
    voice: Phone | None = None
    letter: Line | None = None
    visit: Line | None = None
    app: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,200}$")] | None = None

    def channels(self) -> list[Channel]:
        """Those that have an address."""
        return [name for name in _CHANNELS if getattr(self, name) is not None]


_CHANNELS: tuple[Channel, ...] = ("email", "sms", "voice", "letter", "visit", "app")


class Personal(Rule):
    """Everything personal of one borrower."""

    name: Line
    official_number: OfficialNumber | None = None
    contacts: Contacts = Field(default_factory=Contacts)
    account: BankAccount | None = None
