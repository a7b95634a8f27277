"""The platform itself: the brain's view, services, nodes, live tickets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from backend.permissions import Principal, anyone_known, public, require
from backend.routing import Problem, TheBackend, api_router
from backend.schemas.platform import AskTicket, CordonNode, Index, Services, WebSocketTicket
from services.chassis import __version__
from services.contracts.control_brain import BrainState
from services.contracts.node_manager import Cordon
from services.contracts.nodes import Node

router = api_router("", "platform")
index = APIRouter(tags=["platform"])


@index.get(
    "/",
    dependencies=[public()],
    summary="Where things are",
    responses={"default": {"model": Problem, "description": "An error"}},
)
async def get_index() -> Index:
    """Where the documentation and the API are."""
    return Index(
        name="AgentPlane",
        version=__version__,
        documentation="/docs",
        openapi="/openapi.json",
        api="/api/v1",
    )


@router.get("/brain/state", summary="Show the control brain's state")
async def get_brain_state(
    principal: Annotated[Principal, require("brain:read")], backend: TheBackend
) -> BrainState:
    """The platform as the brain sees it: nodes, services, own agents, decisions and their why."""
    return await backend.clients.brain.state(principal.org_id)


@router.get("/services", summary="List the platform's services")
async def list_services(
    principal: Annotated[Principal, require("services:read")], backend: TheBackend
) -> Services:
    """All parts of the platform; those not part of this mode or version say so."""
    return await backend.surface.services.services()


@router.get("/nodes", summary="List nodes")
async def list_nodes(
    principal: Annotated[Principal, require("nodes:read")], backend: TheBackend
) -> list[Node]:
    """The machines agents run on."""
    return await backend.nodes.listed()


@router.post("/nodes/{node_id}/cordon", summary="Cordon a node")
async def cordon_node(
    node_id: UUID,
    cordon: CordonNode,
    principal: Annotated[Principal, require("nodes:write")],
    backend: TheBackend,
) -> Node:
    """Stop or resume placing instances on a node; with drain its instances move away."""
    return await backend.nodes.cordon(node_id, Cordon(cordoned=cordon.cordoned, drain=cordon.drain))


@router.post("/ws-ticket", status_code=201, summary="Get a WebSocket ticket")
async def create_ws_ticket(
    principal: Annotated[Principal, anyone_known()], backend: TheBackend, ask: AskTicket | None = None
) -> WebSocketTicket:
    """A ticket that opens one WebSocket within 30 s."""
    return await backend.tickets.issue(principal, ask.channels if ask else None)
