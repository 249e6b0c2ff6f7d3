"""States are stored and hashed as they are encoded: what has no order of its own may not stand in one."""

from typing import Any

import msgspec


def require_ordered(*types: type[Any]) -> None:
    """Refuse state types with sets: the order of their strings differs from process to process, and so would digests.
    Dictionaries keep the order in which they were filled, which is that of the inbox."""
    found = msgspec.inspect.multi_type_info(types)
    seen = set[int]()

    def look(part: Any) -> None:
        if id(part) in seen:
            return
        seen.add(id(part))
        if isinstance(part, msgspec.inspect.SetType | msgspec.inspect.FrozenSetType):
            raise TypeError("a state may hold no set: use a sorted list, or a dict")
        for name in getattr(part, "__struct_fields__", ()):
            value = getattr(part, name)
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, msgspec.inspect.Type | msgspec.inspect.Field):
                    look(one)

    for part in found:
        look(part)
