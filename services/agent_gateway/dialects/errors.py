"""Errors in the shapes that the providers' SDKs raise as their own exceptions."""

from typing import Protocol

import orjson

from services.agent_gateway.dialects.events import event

# Anthropic's types of errors, by status.
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ErrorShape(Protocol):
    """How a provider says that something went wrong."""

    def body(self, status: int, code: str, message: str, param: str | None = None) -> bytes:
        """The body of an answer with an error's status."""

    def event(self, status: int, code: str, message: str) -> bytes:
        """An event that ends a stream which had begun well."""


class OpenAIErrors:
    """OpenAI's: `{"error": {message, type, param, code}}`."""

    def body(self, status: int, code: str, message: str, param: str | None = None) -> bytes:
        """The body of an answer with an error's status."""
        return orjson.dumps({"error": _openai(status, code, message, param)})

    def event(self, status: int, code: str, message: str) -> bytes:
        """An event that ends a stream: the SDKs raise it when they read it."""
        return event({"error": _openai(status, code, message, None)})


class ResponsesErrors(OpenAIErrors):
    """OpenAI's in Responses, whose events are named."""

    def event(self, status: int, code: str, message: str) -> bytes:
        """An event that ends a stream, in the form of the reference and in the one the SDKs raise."""
        error = _openai(status, code, message, None)
        return event({**error, "type": "error", "error": error}, "error")


class AnthropicErrors:
    """Anthropic's: `{"type": "error", "error": {type, message}}`, with our code beside its type."""

    def body(self, status: int, code: str, message: str, param: str | None = None) -> bytes:
        """The body of an answer with an error's status."""
        return orjson.dumps(_anthropic(status, code, message))

    def event(self, status: int, code: str, message: str) -> bytes:
        """An event that ends a stream: the SDKs raise it when they read it."""
        return event(_anthropic(status, code, message), "error")


OPENAI = OpenAIErrors()
RESPONSES = ResponsesErrors()
ANTHROPIC = AnthropicErrors()


def errors_for(path: str, headers: dict[bytes, bytes]) -> ErrorShape:
    """The shape that whoever asks for this path with these headers understands."""
    return ANTHROPIC if path.startswith("/v1/messages") or b"anthropic-version" in headers else OPENAI


def _openai(status: int, code: str, message: str, param: str | None) -> dict[str, object]:
    kinds = {403: "permission_error", 429: "rate_limit_error"}
    kind = "server_error" if status >= 500 else kinds.get(status, "invalid_request_error")
    return {"message": message, "type": kind, "param": param, "code": code}


def _anthropic(status: int, code: str, message: str) -> dict[str, object]:
    kind = ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message, "code": code}, "request_id": None}
