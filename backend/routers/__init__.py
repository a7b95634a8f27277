"""Routes: parse, ask one service, answer with a schema."""

from fastapi.routing import APIRoute

from backend.permissions import is_public
from backend.routers import (
    account,
    agents,
    api_keys,
    approvals,
    audit,
    auth,
    bulk_forks,
    bundles,
    data,
    docs,
    executions,
    invitations,
    lifecycle,
    mcp_servers,
    memory,
    observability,
    organisations,
    platform_ops,
    roles,
    service_accounts,
    spending,
    time_travel,
    webhooks,
)

ROUTERS = [
    platform_ops.index,
    auth.router,
    account.router,
    organisations.router,
    roles.router,
    invitations.router,
    service_accounts.router,
    api_keys.router,
    agents.router,
    lifecycle.router,
    executions.router,
    bulk_forks.router,
    time_travel.router,
    observability.router,
    memory.router,
    mcp_servers.router,
    approvals.router,
    spending.router,
    data.router,
    bundles.router,
    webhooks.router,
    audit.router,
    platform_ops.router,
    docs.router,
    bundles.internal,
    executions.internal,
]


def open_paths() -> frozenset[str]:
    """The paths whose routes are declared public."""
    return frozenset(
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and any(is_public(each.dependency) for each in route.dependencies)
    )
