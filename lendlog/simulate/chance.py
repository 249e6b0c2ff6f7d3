"""Chance and ids from a seed: each thing draws from a source of its own, so that no draw depends on who drew before."""

import random
import uuid

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://lendlog.dev/simulate")
Part = str | int


def chance(seed: int, *about: Part) -> random.Random:
    """The source of what is drawn about one thing; the same for the same seed and thing, whenever it is asked for."""
    return random.Random(_name(seed, about))  # noqa: S311 - of histories, not of secrets


def id_of(seed: int, *about: Part) -> str:
    """The id of one thing: a UUIDv5."""
    return str(uuid.uuid5(_IDS, _name(seed, about)))


def _name(seed: int, about: tuple[Part, ...]) -> str:
    return "/".join(map(str, (seed, *about)))
