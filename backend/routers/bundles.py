"""Bundles of code: upload for people, download for the executor."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, public, require
from backend.routing import TheBackend, api_router
from backend.schemas.bundles import Bundle
from services.chassis.auth import TheOrg, only

router = api_router("/bundles", "bundles")
internal = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[public()])
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]

_BODY = {
    "requestBody": {
        "required": True,
        "description": "a tar.gz of the agent's folder, at most 20 MB",
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, summary="Upload a bundle", openapi_extra=_BODY)
async def upload_bundle(
    principal: Annotated[Principal, require("bundles:write")],
    request: Request,
    response: Response,
    backend: TheBackend,
) -> Bundle:
    """Keep a folder of code under its digest; uploading it again changes nothing."""
    bundle = await backend.bundles.put(principal, await request.body())
    response.headers["Location"] = f"/api/v1/bundles/{bundle.digest}"
    return bundle


@router.get(
    "/{digest}",
    response_class=Response,
    responses={200: {"content": {"application/gzip": {}}, "description": "The bundle's bytes"}},
    summary="Download a bundle",
)
async def download_bundle(
    digest: Digest, principal: Annotated[Principal, require("bundles:read")], backend: TheBackend
) -> Response:
    """The bytes of a bundle."""
    content = await backend.bundles.content(principal.org_id, digest)
    return Response(content, media_type="application/gzip")


@internal.get("/bundles/{digest}", dependencies=[only("executor", "k8s-executor")])
async def fetch_bundle(digest: Digest, org_id: TheOrg, backend: TheBackend) -> Response:
    """The bytes of a bundle, for whoever runs it."""
    return Response(await backend.bundles.content(org_id, digest), media_type="application/octet-stream")
