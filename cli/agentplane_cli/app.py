"""The list of verbs; each noun's file holds what its verbs do."""

from __future__ import annotations

import typer

from agentplane_cli import (
    agents,
    api_keys,
    approvals,
    audit,
    brain,
    budgets,
    bulk_forks,
    completion,
    conformance,
    connection,
    contexts,
    deploying,
    doctor,
    executions,
    fork_memory,
    install,
    invitations,
    logs,
    mcp_servers,
    members,
    memory,
    organisations,
    platform,
    policy,
    prices,
    running,
    service_accounts,
    session,
    sessions,
    status,
    steps,
    stopping,
    stores,
    time_travel,
    usage,
    webhooks,
)
from agentplane_cli.watching import watchable

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
app.command()(watchable(status.status))
app.command()(logs.logs)
app.command()(stores.migrate)
app.command()(doctor.doctor)
app.command()(stores.reset)
app.command()(platform.dashboard)

app.command()(completion.completion)

# Any AgentPlane, over its API
app.callback()(connection.remote)
app.add_typer(contexts.app, name="contexts")
app.command()(session.login)
app.command()(session.logout)
app.command()(session.whoami)
app.command()(deploying.deploy_agent)
app.command()(conformance.conformance)
app.add_typer(agents.app, name="agents")
app.command()(running.run)
app.add_typer(executions.app, name="executions")
app.add_typer(steps.app, name="steps")
app.command()(usage.usage)
app.command()(time_travel.fork)
app.add_typer(bulk_forks.app, name="bulk-forks")
app.command()(time_travel.replay)
app.command()(time_travel.diff)
app.command()(time_travel.tree)
app.command()(time_travel.decide)
app.add_typer(time_travel.masks, name="masks")
app.add_typer(fork_memory.app, name="fork-memory")
app.add_typer(memory.app, name="memory")
app.add_typer(mcp_servers.app, name="mcp-servers")
app.add_typer(approvals.app, name="approvals")
app.add_typer(budgets.app, name="budgets")
app.add_typer(policy.app, name="policy")
app.add_typer(prices.app, name="prices")
app.command()(stopping.stop)
app.command("start-org")(stopping.start_org)
app.command()(watchable(brain.brain))
app.command()(watchable(brain.services))
app.add_typer(api_keys.app, name="api-keys")
app.add_typer(organisations.app, name="org")
app.add_typer(members.app, name="members")
app.add_typer(invitations.app, name="invitations")
app.add_typer(service_accounts.app, name="service-accounts")
app.add_typer(sessions.app, name="sessions")
app.add_typer(sessions.password, name="password")
app.add_typer(audit.app, name="audit")
app.add_typer(webhooks.app, name="webhooks")
