"""Entry of the `agentplane` command; the verbs are in `agentplane_cli/<noun>.py`."""

import sys


def main() -> None:
    """Run the command line and end with its exit code."""
    from agentplane_cli.app import app
    from agentplane_cli.completion import get_ready
    from agentplane_cli.failure import Exit, Failure

    get_ready()
    try:
        app()
    except Failure as failure:
        sys.stderr.write(f"error: {failure}\n")
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:
        # Loaded only by the verbs of local mode; importing it here would make every other verb slower.
        faults = sys.modules.get("services.embedded.faults")
        if faults is None or not isinstance(error, faults.LocalModeError):
            raise
        sys.stderr.write(f"error: {error}\n")
        sys.exit(Exit.CONFLICT if isinstance(error, faults.AlreadyRunning) else Exit.FAILED)
