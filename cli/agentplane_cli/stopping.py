"""`agentplane stop` and `agentplane start-org`: everything of the organisation ends, and may go on."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.terminal import confirm_by_typing, say


def stop(
    context: typer.Context,
    reason: Annotated[str, typer.Argument(help="Why; everybody who is refused reads it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop the organisation: end every execution, refuse every call of its agents, let nothing begin."""
    if not yes:
        confirm_by_typing("stop", "This ends every execution of the organisation.")
    stopped = connect(context).post("/organisation/stop", {"reason": reason})
    say(f"the organisation is stopped; {stopped['cancelled']} executions were ended")


def start_org(context: typer.Context) -> None:
    """Lift the organisation's stop; what was ended stays ended."""
    connect(context).delete("/organisation/stop")
    say("the organisation's agents may work again")
