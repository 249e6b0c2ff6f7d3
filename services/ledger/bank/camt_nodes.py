"""Elements of an ISO 20022 message by local name, so that its namespace, which names the version, does not matter."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from services.ledger.bank.refusals import HostileXml, NotAStatement, NotXml


def root_of(content: bytes) -> Any:
    """The root of a document. Entities and document types are refused before anything is expanded (defusedxml). Raises
    HostileXml, NotXml."""
    try:
        return fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise HostileXml(
            f"The file has {type(error).__name__.removesuffix('Forbidden').lower()} declarations."
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise NotXml(f"The file can't be read as XML: {error}.") from None


def local(node: Any) -> str:
    """The element's name without its namespace."""
    return str(node.tag).rpartition("}")[2]


def all_of(node: Any, name: str) -> Iterator[Any]:
    """The children of this name."""
    return (child for child in node if local(child) == name)


def at(node: Any, path: str) -> Any:
    """The element at `A/B/C` below the node, the first one each; None if there is none."""
    for name in path.split("/"):
        node = next(all_of(node, name), None) if node is not None else None
    return node


def text_at(node: Any, path: str) -> str | None:
    """What stands in it, without surrounding space; None if it is not there, or empty."""
    found = at(node, path)
    return ((found.text or "").strip() or None) if found is not None else None


def day_of(node: Any, *names: str) -> date | None:
    """The first of these children as a date: an ISO date, or the date of a date and time. Raises NotAStatement."""
    for name in names:
        if node is not None and (text := text_at(node, name)) is not None:
            try:
                return date.fromisoformat(text[:10])
            except ValueError:
                raise NotAStatement(f"{local(node)}/{name} holds no date.") from None
    return None
