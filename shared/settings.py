"""What a process is told by its environment (prefix LENDLOG_). Secrets come from here alone; defaults are closed."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import MissingPrecondition


class ServiceSettings(BaseSettings):
    """One service process (worker or API). The supervisor sets these for its children; in a deployment you do."""

    model_config = SettingsConfigDict(env_prefix="LENDLOG_", extra="ignore")

    kafka_bootstrap: str = "127.0.0.1:9092"
    database_url: SecretStr = SecretStr("")
    """postgresql:// URL of this process's own role."""
    ledger_schema: str = "ledger"
    ledger_api_schema: str = "ledger_api"
    schema_prefix: str = ""
    """Put before the schemas of origination, monitoring and collections and of their APIs."""
    topic_prefix: str = ""
    """Put before every topic name, consumer group and transactional id: several platforms on one broker."""
    partitions: int = Field(default=8, ge=1, le=1024)
    host: str = "127.0.0.1"
    port: int = 0
    """Where this process serves HTTP: the API its routes, a worker /metrics, /healthz, /readyz. 0: any free port."""
    batch_records: int = Field(default=20_000, ge=1, le=50_000)
    """Records per fetched partition batch, and so per database transaction."""
    closing_chunk: int = Field(default=20_000, ge=1)
    """Loans that one transaction of a closing touches at most."""
    cached_loans: int = Field(default=200_000, ge=0)
    """Loan states that one worker keeps in memory at most."""
    session_seconds: float = Field(default=10.0, ge=1.0, le=300.0)
    """How long a worker may be silent before its partitions go to others; brokers refuse less than 6 unless told."""
    crash_at: str | None = None
    """`point:n`: end the process (exit code 137) when the named crash point is passed for the n-th time. For tests."""
    crash_log: Path | None = None
    """Where a passed crash point is noted, so that a test can show that it was hit."""
    dead_letter_key: SecretStr = SecretStr("")
    """Base64 of 32 bytes: encrypts dead letters' values on the dead letter topic."""
    valuation_policy: str = "five-classes"
    """By which policy the lender values its loans: services/ledger/policies/valuation-<name>.yaml."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    vault_key: SecretStr = SecretStr("")
    """Base64 of 32 bytes: wraps the key of each borrower's personal data. Origination's API alone has it."""
    origination_url: str = ""
    """Where collections reads an address at the moment of sending: origination's API."""
    origination_token: SecretStr = SecretStr("")
    """A token of role `service` for it."""
    smtp_url: SecretStr = SecretStr("")
    """smtp:// or smtps://[user:password@]host:port[?starttls=require]; empty: reminders by e-mail are not sent."""
    smtp_sender: str = "lender@example.invalid"
    bank_folder: Path | None = None
    """The lender's bank accounts, matching rules and CSV profiles (services/ledger/bank/lender is an example)."""
    dispatch_seconds: float = Field(default=0.0, ge=0.0)
    """How often due reminders are sent with the wall clock's time; 0: only when asked for."""


class PlatformSettings(BaseSettings):
    """The command line: which servers, where they keep their data, on which ports."""

    model_config = SettingsConfigDict(env_prefix="LENDLOG_", extra="ignore")

    home: Path = Path(".lendlog")
    postgres_url: SecretStr | None = None
    """postgresql:// URL of an administrator who may create roles and a database; absent: the embedded server."""
    kafka_bootstrap: str | None = None
    """host:port of a running broker; absent: the embedded one."""
    servers: str = ""
    """Where servers come from that no address names: `embedded` or `docker`; empty: embedded ones where they can run,
    else from Docker where an engine answers."""
    services: str = "ledger,origination,monitoring,collections"
    """Which services to run."""
    ledger_workers: int = Field(default=2, ge=1, le=64)
    api_port: int = 8600
    """The ledger's; those of origination, monitoring and collections follow."""
    postgres_port: int = 54329
    kafka_port: int = 19092
    metrics_port: int = 8610
    """First worker's; the next ones follow."""

    def service_names(self) -> tuple[str, ...]:
        """The services to run, by name. MissingPrecondition for one that there isn't."""
        names = tuple(name.strip() for name in self.services.split(",") if name.strip())
        if unknown := set(names) - {"ledger", "origination", "monitoring", "collections"}:
            raise MissingPrecondition(f"LENDLOG_SERVICES names {', '.join(sorted(unknown))}: there is no such service.")
        return names
