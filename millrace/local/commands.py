"""`millrace local`: the embedded AWS of a folder, from its start to its end.

What only the embedded AWS needs is imported by the command that needs it: `millrace` works on AWS without it.
"""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from millrace.cli.context import Context, settings_of
from millrace.cli.printing import FIRST_USE
from millrace.deployment import Workflow, from_outputs
from millrace.errors import ExitCode, UsageError
from millrace.local.instance import Instance, Options

app = typer.Typer(
    name="local",
    help="The whole stack on this machine, in one folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DEFAULTS = Options()


class DeployOption(StrEnum):
    """`deploy_option` of terraform/."""

    SFN = "sfn"
    SQS = "sqs"


class Tale(StrEnum):
    """The stories that can be told, each of a workflow."""

    KENDRA_INGESTION = "kendra_ingestion"
    KB_SYNC = "kb_sync"
    INCIDENTS = "incidents"
    VECTORS = "vectors"


class Sink(StrEnum):
    """`sink` of terraform/."""

    KENDRA = "kendra"
    BEDROCK = "bedrock"


@app.command()
def up(
    ctx: typer.Context,
    region: Annotated[str, typer.Option(help="The region it plays.")] = DEFAULTS.region,
    requests_per_second: Annotated[
        float, typer.Option(min=0.1, help="The sinks' limit of each of their operations with documents.")
    ] = DEFAULTS.kendra_requests_per_second,
    indexing_seconds: Annotated[
        float, typer.Option(min=0, help="How long a sink takes to index an accepted document.")
    ] = DEFAULTS.kendra_indexing_seconds,
) -> None:
    """Start the embedded AWS. Where it runs already, say so."""
    from millrace.local import laptop

    context: Context = ctx.obj
    options = Options(
        region=region,
        kendra_requests_per_second=requests_per_second,
        kendra_indexing_seconds=indexing_seconds,
        bedrock_requests_per_second=requests_per_second,
        bedrock_indexing_seconds=indexing_seconds,
    )
    instance, started = laptop.up(context.folder, options)
    context.emit({"started": started, **_facts(instance)})
    word = "is up" if started else "was up already"
    context.console.print(f"the embedded AWS {word}: {instance.url}", soft_wrap=True)
    context.console.print(f"folder {instance.folder}, log {instance.log}", soft_wrap=True, markup=False)
    if started:
        context.console.print("deploy to it: millrace local apply")


@app.command()
def apply(
    ctx: typer.Context,
    var: Annotated[
        list[str] | None,
        typer.Option("--var", metavar="NAME=VALUE", help="A variable of terraform/; may be given more than once."),
    ] = None,
    workflow: Annotated[
        Workflow | None, typer.Option(help="Deploy it beside what is there; if not given, what the variables say.")
    ] = None,
) -> None:
    """Package the functions and deploy terraform/ to it."""
    from millrace.local import laptop

    context: Context = ctx.obj
    variables = settings_of("--var", var or [])
    if workflow is None:
        outputs = laptop.apply(context.folder, variables, _say(context))
    else:
        outputs = laptop.add(context.folder, workflow, variables, _say(context))
    context.emit({"outputs": outputs})
    for workflow in from_outputs(outputs, "the apply").workflows:
        context.console.print(f"deployed {workflow.value}; {FIRST_USE[workflow]}", soft_wrap=True)


@app.command()
def destroy(ctx: typer.Context) -> None:
    """Take away what apply made; the embedded AWS stays up."""
    from millrace.local import deploy, laptop

    context: Context = ctx.obj
    deploy.destroy(laptop.the_running(context.folder), say=_say(context))
    context.emit({"destroyed": True})


@app.command()
def status(ctx: typer.Context) -> None:
    """Say what runs. Exit code 1 where nothing does."""
    from millrace.local import deploy

    context: Context = ctx.obj
    instance = Instance.find(context.folder)
    if instance is None:
        context.emit({"running": False, "folder": str(context.folder)})
        context.console.print(f"no embedded AWS is running in {context.folder}", soft_wrap=True, markup=False)
        raise typer.Exit(ExitCode.FAILED)
    deployed = bool(deploy.outputs(context.folder))
    context.emit({"running": True, "deployed": deployed, **_facts(instance)})
    minutes = (time.time() - instance.started_at) / 60
    context.console.print(f"running for {minutes:.0f} min: {instance.url} (process {instance.process.pid})")
    context.console.print(f"folder {instance.folder}, log {instance.log}", soft_wrap=True, markup=False)
    context.console.print("deployed" if deployed else "nothing is deployed to it: millrace local apply")


@app.command()
def down(ctx: typer.Context) -> None:
    """Stop the embedded AWS and remove its folder. Works whatever state it is in."""
    from millrace.local import laptop

    context: Context = ctx.obj
    there_was = laptop.down(context.folder)
    context.emit({"removed": there_was, "folder": str(context.folder)})
    said = f"stopped, and {context.folder} is gone" if there_was else f"there is nothing at {context.folder}"
    context.console.print(said, soft_wrap=True, markup=False)


@app.command()
def demo(
    ctx: typer.Context,
    workflow: Annotated[Tale, typer.Option(help="Whose story.")] = Tale.KENDRA_INGESTION,
    option: Annotated[DeployOption | None, typer.Option(help="What drives kendra_ingestion; sfn if not given.")] = None,
    sink: Annotated[
        Sink | None, typer.Option(help="What takes the documents of kendra_ingestion; kendra if not given.")
    ] = None,
) -> None:
    """Deploy a workflow beside what is there, and tell its story.

    kendra_ingestion: ingest the sample, report, ask a question. kb_sync: upload at once, see the requests coalesced and
    covered, ask a question for each upload. incidents: close incidents, find them, reopen and delete some. vectors:
    embed receipts, find their words, correct a label and delete a receipt.
    """
    from millrace.local.demos import incidents, kb_sync, kendra_ingestion, vectors

    context: Context = ctx.obj
    command = _how_to_call(context.folder)
    if workflow is not Tale.KENDRA_INGESTION:
        if option or sink:
            raise UsageError(f"--option and --sink are kendra_ingestion's; leave them out with --workflow {workflow}")
        stories = {Tale.KB_SYNC: kb_sync.tell, Tale.INCIDENTS: incidents.tell, Tale.VECTORS: vectors.tell}
        tell = stories[workflow]
        raise typer.Exit(tell(context, command))
    option, sink = option or DeployOption.SFN, sink or Sink.KENDRA
    raise typer.Exit(kendra_ingestion.tell(context, command, option=option.value, sink=sink.value))


def _facts(instance: Instance) -> dict[str, Any]:
    return {
        "url": instance.url,
        "region": instance.region,
        "pid": instance.process.pid,
        "folder": str(instance.folder),
        "log": str(instance.log),
    }


def _say(context: Context) -> Any:
    return lambda line: context.console.print(line, markup=False, soft_wrap=True)


def _how_to_call(folder: Path) -> str:
    """The command line that reaches this folder again, such as `.venv/bin/millrace --dir there`."""
    program = Path(sys.executable).with_name("millrace")
    here = Path.cwd()
    name = str(program.relative_to(here)) if program.is_relative_to(here) else str(program)
    return name if folder == Path(".millrace") else f"{name} --dir {folder}"
