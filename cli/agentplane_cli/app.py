"""The list of verbs; each noun's file holds what its verbs do."""

from __future__ import annotations

import typer

from agentplane_cli import doctor, install, logs, platform, status, stores

app = typer.Typer(
    name="agentplane",
    help="Run autonomous agents the way Kubernetes runs containers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# This machine
app.command()(install.install)
app.command()(platform.up)
app.command()(platform.down)
app.command()(platform.restart)
app.command()(status.status)
app.command()(logs.logs)
app.command()(stores.migrate)
app.command()(doctor.doctor)
app.command()(stores.reset)
app.command()(platform.dashboard)
