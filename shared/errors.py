"""The kinds of failure (style 1.3.7): refusals are the caller's to mend, preconditions the operator's."""


class Refusal(Exception):
    """A command broke a rule. The subclass is named after the rule; its docstring is the title shown to the caller.

    `field` names the part of the input that is at fault (a JSON pointer's last token), or is None.
    """

    status = 422

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field

    @classmethod
    def rule(cls) -> str:
        """The rule's name as it stands in problem details, for example `unknown-currency`."""
        return rule_named(cls)


def rule_named(kind: type[Exception]) -> str:
    """An exception's name as a rule's: BandGap is `band-gap`."""
    return "".join(f"-{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(kind.__name__))


class MissingPrecondition(Exception):
    """Something the operator must provide is not there. The message is a sentence that says what to do; exit code 2."""


class InvariantBroken(Exception):
    """A readable event breaks a rule of its loan: the loan parks with this reason, the others go on (D9)."""
