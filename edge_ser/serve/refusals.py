"""What a client is told when it does not get what it asked for: a status and one sentence."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_ser.errors import ConfigError, EdgeSerError, MediaError, MissingExtraError

RETRY_AFTER: Final = 5
"""Seconds after which it is worth while to come again."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """An answer other than the one that was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def response(self) -> Response:
        """The answer; one that may be better later says when to come again."""
        headers = {}
        if self.status == 503:
            headers["Retry-After"] = str(RETRY_AFTER)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.status in (408, 413):  # the rest of the request is not read
            headers["Connection"] = "close"
        return JSONResponse({"error": str(self)}, self.status, headers)


def refusal_of(error: EdgeSerError) -> Refusal:
    """What an error of the library means to a client: its mistake, or ours."""
    if isinstance(error, MissingExtraError):
        return Refusal(501, f"this server cannot do that: {error}")
    if isinstance(error, MediaError):
        return Refusal(422, str(error))
    if isinstance(error, ConfigError):
        return Refusal(400, str(error))
    return Refusal(500, str(error))


def answer_refusal(_: Request, error: Exception) -> Response:
    """Answer with a refusal, an error of the library, or Starlette's own."""
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    if isinstance(error, EdgeSerError):
        error = refusal_of(error)
    if isinstance(error, Refusal):
        return error.response()
    raise error
