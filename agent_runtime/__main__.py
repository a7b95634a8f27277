"""Entry of the demo agent: a job where there is an input file, else a server."""

from __future__ import annotations

import sys

from agent_runtime.desk import Desk
from agent_runtime.model import Model
from agent_runtime.roles import role_of
from agent_runtime.settings import Settings


def main() -> int:
    """Run the agent the way its environment asks for; the exit code is the job's."""
    settings = Settings.of_environment()
    role = role_of(settings.role)
    model = Model(settings.base_url, settings.api_key, settings.model)
    desk = Desk(role, model, quiet=settings.quiet)
    if "--job" in sys.argv[1:] or settings.input_file:
        from agent_runtime.job import run_job

        return run_job(desk, settings)
    from agent_runtime.server import serve

    return serve(desk, settings)


if __name__ == "__main__":
    sys.exit(main())
