"""`lendlog bench NAME`."""

import json
import sys
from typing import Annotated, Any

import typer

from lendlog.bench.fold import FoldPlan, run_fold
from lendlog.bench.rig import new_rig
from lendlog.bench.spine import Plan, run
from lendlog.signals import run_to_end
from lendlog.tables import table
from shared.settings import PlatformSettings

command = typer.Typer(no_args_is_help=True, help="Measure what the platform does on this machine.")


@command.callback()
def _root() -> None:
    """Measure what the platform does on this machine."""


@command.command("spine")
def spine(
    loans: Annotated[int, typer.Option(help="Loans; each makes about ten events.", min=100)] = 50_000,
    seed: Annotated[int, typer.Option(help="Seed of the history.")] = 1,
    processes: Annotated[int, typer.Option(help="Worker processes, ours and the peer's.", min=1)] = 2,
    peers: Annotated[bool, typer.Option(help="Run stock Faust beside.")] = True,
    check: Annotated[bool, typer.Option(help="Compare the books' digest with a replay's.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """A backlog on the log to committed, relayed books; stock Faust writing the same postings beside it."""
    plan = Plan(loans=loans, seed=seed, processes=processes, peers=peers, check=check)
    result = run_to_end(_spine(plan))
    if as_json:
        typer.echo(json.dumps(result))
    else:
        for name, value in result.items():
            typer.echo(f"{name:36} {json.dumps(value) if isinstance(value, dict) else value}")
    if result.get("digest_equals_replay") is False:
        raise typer.Exit(1)


@command.command("fold")
def fold(
    repayments: Annotated[int, typer.Option(help="Repayments timed for each age of a loan.", min=1000)] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """The engine's fold of one ordinary repayment, for loans of 12, 60 and 360 instalments; needs no servers."""
    result = run_fold(FoldPlan(repayments=repayments))
    if as_json:
        typer.echo(json.dumps(result))
        return
    rows = [{"instalments": n} | figures for n, figures in result["microseconds"].items()]
    for line in table(
        [*rows, {"instalments": "floor"} | result["floor"]], ("instalments", "mean", "median", "p99"), left=1
    ):
        typer.echo(line)
    typer.echo(f"microseconds a repayment; floor: two balances in a dictionary and a line; {result['hardware']['cpu']}")


async def _spine(plan: Plan) -> dict[str, Any]:
    terminal = sys.stderr.isatty()

    def say(line: str) -> None:
        if terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
        elif "/s" not in line:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    async with new_rig(PlatformSettings(), say) as rig:
        result = await run(rig, plan, say)
    if terminal:
        sys.stderr.write("\r\x1b[K")
    return result
