"""`agentplane install`: everything that has to exist before the first start."""

from __future__ import annotations

from agentplane_cli.checkout import find_checkout
from agentplane_cli.environment import EnvironmentFailed, make_environment
from agentplane_cli.failure import Failure
from agentplane_cli.terminal import say, styled


def install() -> None:
    """Make the environment, `.env` with random secrets, the stores and their schema; run it again at will."""
    root = find_checkout()
    try:
        made = make_environment(root)
    except EnvironmentFailed as error:
        raise Failure(str(error)) from error
    say(f"{styled('✓', 'ok')} environment {'made' if made else 'up to date'}: {root / '.venv'}")
    # From here on in the new environment; the step above finds everything done and is over at once.
    from agentplane_cli.stores import migrate

    migrate()
    say("Installed. Start it with `agentplane up`.")
