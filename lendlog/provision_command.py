"""`lendlog provision`: database, roles, schemas, tokens and topics on servers that the environment names.

For deployments, where each process gets its own role's password and nothing else; `lendlog run` does the same for its
own servers. Secrets are given, never made up: LENDLOG_PASSWORD_<LOGIN> for each database login and LENDLOG_TOKEN_<ROLE>
for each role of the APIs.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from lendlog.books import AsJson, emit, fields
from lendlog.servers.home import API_ROLES
from lendlog.servers.provision import LOGINS, SITE, provision_schemas, register_tokens
from lendlog.services import schemas_of
from lendlog.signals import run_to_end
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings, ServiceSettings
from shared.streams.topic_admin import ensure_topics

PASSWORD, TOKEN = "LENDLOG_PASSWORD_", "LENDLOG_TOKEN_"
SECRET = re.compile(r"[A-Za-z0-9._~-]{24,200}")
"""What stands in a URL and in a header as it is; 24 characters are 128 bits where they are random."""


def command(as_json: AsJson = False) -> None:
    """Make database, roles, schemas, tokens and topics on the servers that the environment names; may be repeated."""
    document = run_to_end(_provision(os.environ))
    emit(document, fields(document), as_json=as_json)


async def _provision(environment: Mapping[str, str]) -> dict[str, Any]:
    settings, names = PlatformSettings(), ServiceSettings()
    if not settings.postgres_url or not settings.kafka_bootstrap:
        raise MissingPrecondition(
            "Set LENDLOG_POSTGRES_URL (an administrator's URL) and LENDLOG_KAFKA_BOOTSTRAP (host:port): "
            "`lendlog run` provisions its own servers."
        )
    passwords = given(environment, PASSWORD, LOGINS)
    tokens = given(environment, TOKEN, API_ROLES)
    administrator = settings.postgres_url.get_secret_value()
    services = settings.service_names()
    await provision_schemas(administrator, passwords, names, services=services)
    for service in services:
        await register_tokens(administrator, tokens, api_schema=schemas_of(service, names).api_schema)
    made = await ensure_topics(settings.kafka_bootstrap, prefix=names.topic_prefix, partitions=names.partitions)
    return {
        "database": SITE.database,
        "services": list(services),
        "logins": [SITE.role(login) for login in LOGINS],
        "token_roles": list(API_ROLES),
        "topics_created": made,
    }


def given(environment: Mapping[str, str], prefix: str, names: tuple[str, ...]) -> dict[str, str]:
    """The secret of each name from `prefix` + NAME; raises MissingPrecondition, which names variables and no value."""
    found = {name: environment.get(prefix + name.upper(), "") for name in names}
    if bad := [prefix + name.upper() for name, value in found.items() if not SECRET.fullmatch(value)]:
        raise MissingPrecondition(
            f"Set {', '.join(bad)} to random secrets of 24 to 200 letters, digits or ._~- "
            "(deploy/docker/new-env makes them)."
        )
    if len(set(found.values())) < len(found):
        raise MissingPrecondition(f"Two of the {prefix}… are the same: each needs a secret of its own.")
    return found
