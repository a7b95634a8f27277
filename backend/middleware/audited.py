"""What is recorded of a write: who, which operation, on what, and how it ended; never the body."""

from starlette.types import Message, Scope

from backend.permissions import Principal
from backend.stores.audit_store import AuditEntry
from services.chassis.ids import new_id


def audit_entry(scope: Scope, start: Message, principal: Principal) -> AuditEntry:
    """The record of one write that is about to be answered."""
    route = scope.get("route")
    action = getattr(route, "name", None) or f"{scope['method']} (no such route)"
    kind, target = _target(scope, start)
    client = scope.get("client")
    return AuditEntry(
        org_id=principal.org_id,
        id=new_id(),
        actor_kind=principal.kind,
        actor_id=principal.id,
        actor_label=principal.label,
        action=action,
        target_kind=kind,
        target_id=target,
        status=start["status"],
        request_id=scope["state"]["request_id"],
        ip=client[0] if client else None,
    )


def _target(scope: Scope, start: Message) -> tuple[str | None, str | None]:
    # A creation names what it made in Location; everything else has it in its path.
    for name, value in start.get("headers", ()):
        if name == b"location":
            *_, collection, identity = value.decode("latin-1").split("/")
            return collection.rstrip("s"), identity[:200]
    for name, value in reversed(scope.get("path_params", {}).items()):
        return name.removesuffix("_id"), str(value).replace("\0", "")[:200]
    return None, None
