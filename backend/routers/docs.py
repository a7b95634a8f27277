"""The documentation as a page, with its scripts from this very server: it works without the internet."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

from backend.permissions import public
from services.chassis.errors import NotFound

router = APIRouter(prefix="/docs", include_in_schema=False, dependencies=[public()])

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AgentPlane API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#api", deepLinking: true, persistAuthorization: false,
  docExpansion: "none", filter: true,
});
"""
_POLICY = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
}
_KEPT = {"Cache-Control": "public, max-age=3600"}


@router.get("", response_class=HTMLResponse)
async def show_documentation() -> Response:
    """The page."""
    return HTMLResponse(_PAGE, headers=_POLICY)


@router.get("/start.js")
async def start_documentation() -> Response:
    """What the page does once its scripts are there."""
    return Response(_START, media_type="text/javascript", headers=_KEPT)


@router.get("/{name}")
async def get_documentation_file(name: Literal["swagger-ui-bundle.js", "swagger-ui.css"]) -> FileResponse:
    """Swagger UI's own files, as its package holds them."""
    package = find_spec("fastapi_swagger")
    if package is None or package.origin is None:
        raise NotFound("the documentation's scripts are not installed")
    return FileResponse(Path(package.origin).parent / "resources" / name, headers=_KEPT)
