"""The errors that Stripe answers with, in its words as far as they are known."""

from typing import Any


class ApiError(Exception):
    """An answer that is no success.

    ``has_begun`` says whether Stripe had begun to execute the request. It stores the answer under
    the idempotency key only then.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        has_begun: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.has_begun = has_begun
        self.error: dict[str, Any] = {"message": message, "type": type}
        if code is not None:
            self.error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code}"}
        if param is not None:
            self.error["param"] = param

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.error}


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """A parameter is wrong. Stripe finds that before it executes the request."""
    return ApiError(400, message, param=param, code=code)


def refused(message: str, code: str | None = None, param: str | None = None) -> ApiError:
    """The state of an object does not allow what is asked. Stripe finds that while it executes."""
    return ApiError(400, message, code=code, param=param, has_begun=True)


def missing(what: str, id: str, param: str = "id", hint: str = "") -> ApiError:
    """No such object."""
    return ApiError(404, f"No such {what}: '{id}'{hint}", code="resource_missing", param=param)


def failure(status: int, code: str | None = None) -> ApiError:
    """The answer of Stripe when a test wants this status."""
    if status == 401:
        return ApiError(401, "Invalid API Key provided: sk_****")
    if status == 402:
        code = code or "card_declined"
        return ApiError(
            402, "Your card was declined.", type="card_error", code=code, has_begun=True
        )
    if status == 429:
        message = "Request rate limit exceeded."
        return ApiError(429, message, code=code or "rate_limit")
    if status >= 500:
        message = "An unknown error occurred"
        return ApiError(status, message, type="api_error", code=code, has_begun=True)
    return ApiError(status, "The test wants this answer.", code=code, has_begun=True)
