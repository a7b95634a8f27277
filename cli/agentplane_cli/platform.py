"""The platform on this machine: up, down, restart, logs, dashboard."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from agentplane_cli.checkout import local
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.progress import Progress
from agentplane_cli.terminal import say, styled

if TYPE_CHECKING:
    from services.embedded.local_platform import LocalPlatform

Foreground = Annotated[bool, typer.Option("--foreground", help="Stay, show the logs, stop on Ctrl-C.")]


class Mode(StrEnum):
    """How the platform runs on this machine."""

    LOCAL = "local"
    COMPOSE = "compose"


ChosenMode = Annotated[
    Mode, typer.Option(help="local: a few processes; compose: every service a container, by Docker Compose.")
]
Base = Annotated[
    str | None, typer.Option(metavar="IMAGE", help="compose: Debian with Python to build the images on.")
]


def up(foreground: Foreground = False, mode: ChosenMode = Mode.LOCAL, base_image: Base = None) -> None:
    """Start everything and return when it is ready."""
    if mode is Mode.COMPOSE:
        from agentplane_cli.composed import up_composed

        up_composed(base_image)
        return
    from agentplane_cli.first_run import finish

    platform = open_platform()
    platform.refuse_another_checkout()
    if platform.is_ready():
        say("The platform runs already.")
    else:
        start(platform)
    try:
        finish(platform, address(platform, "backend"))
    finally:
        # Also when the demo agent failed: the platform runs, and this is where to look.
        say(where_everything_is(platform))
    if foreground:
        stay(platform)


def down(mode: ChosenMode = Mode.LOCAL) -> None:
    """Stop everything; the data stays."""
    if mode is Mode.COMPOSE:
        from agentplane_cli.composed import down_composed

        down_composed()
        return
    platform = open_platform(prepare=False)
    say("Stopped." if platform.stop() else "Nothing was running.")


def restart(foreground: Foreground = False) -> None:
    """Stop everything, then start it again."""
    down()
    up(foreground)


def dashboard() -> None:
    """Open the dashboard in the browser; where this version has none, the API's documentation."""
    import webbrowser

    platform = open_platform(prepare=False)
    if not platform.is_ready():
        raise Failure("the platform does not run; start it with `agentplane up`", Exit.UNAVAILABLE)
    url = address(platform, "frontend") if has_dashboard(platform) else f"{address(platform, 'backend')}/docs"
    say(url)
    webbrowser.open(url)


def open_platform(prepare: bool = True) -> LocalPlatform:
    """The platform of this checkout; its `.env` and data directory are completed first."""
    root = local()
    from services.embedded import installation
    from services.embedded.local_platform import LocalPlatform

    written = installation.prepare(root) if prepare else []
    if written:
        say(f"{styled('✓', 'ok')} .env: {len(written)} variables written")
    return LocalPlatform(root)


def start(platform: LocalPlatform) -> None:
    """Start the platform and show how; whatever was started is stopped again on Ctrl-C."""
    progress = Progress()
    try:
        for told in platform.starting():
            progress.show(told)
        progress.done("Ready")
    except KeyboardInterrupt:
        say("\nStopping …")
        platform.stop()
        raise
    finally:
        progress.clear()


def stay(platform: LocalPlatform) -> None:
    """Show the logs of the platform until Ctrl-C, a hang-up or a kill; then stop everything."""
    import signal

    from agentplane_cli.logs import follow, local_logs

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        for line in follow(local_logs(platform)):
            say(line)
            if platform.supervisor() is None:
                raise Failure("the platform was stopped from elsewhere", Exit.UNAVAILABLE)
    finally:
        say("\nStopping …")
        platform.stop()


def address(platform: LocalPlatform, name: str) -> str:
    """Where a part of the platform is reached from this machine."""
    from services.contracts.catalog import entry

    return f"http://localhost:{platform.settings.port(entry(name).port)}"


def has_dashboard(platform: LocalPlatform) -> bool:
    """Whether this version serves a dashboard."""
    from services.contracts.catalog import entry
    from services.embedded.platform_process import exists

    return exists(entry("frontend"), platform.root) and platform.settings.dashboard != "off"


def _when(platform: LocalPlatform) -> str:
    from services.embedded.dashboard import DashboardBuild

    if DashboardBuild(platform.root).built:
        return ""
    if platform.settings.dashboard == "auto":
        return styled("  is being built, about a minute; the page opens itself when it is there", "dim")
    return styled("  is not built; `make dashboard` builds it", "dim")


def where_everything_is(platform: LocalPlatform) -> str:
    """What a person needs next, after a start."""
    told = platform.status() or {"started_at": time.time()}
    since = time.strftime("%H:%M:%S", time.localtime(told["started_at"]))
    page = (
        [f"  Dashboard   {address(platform, 'frontend')}{_when(platform)}"] if has_dashboard(platform) else []
    )
    lines = [
        "",
        *page,
        f"  API         {address(platform, 'backend')}/docs",
        f"  Brain       {address(platform, 'control-brain')}",
        f"  Data        {platform.directory.root}",
        f"  Logs        {platform.directory.logs}",
        f"  Settings    {platform.root / '.env'}",
        "",
        styled(
            f"  running since {since}; `agentplane status` shows every part, `agentplane down` stops", "dim"
        ),
    ]
    return "\n".join(lines)
