"""Every way a request or a start can be refused.

    GatewayError
    ├── BadInput                 400  the request cannot be understood
    │   ├── InvalidFields        400  named fields are wrong (a form answers 422 with them)
    │   └── NotTranslatable      400  it means something that the backend's API format cannot say; with the field
    ├── NotAuthenticated         401  no credential, or not one of ours
    ├── OutOfMoney               402  a limit of money of ours; with its limit, what was used, when it begins anew
    ├── Forbidden                403  a known caller may not do this
    ├── NotFound                 404  no such thing, or not for this caller
    │   └── ModelNotFound        404  with the nearest names the caller may use
    ├── MethodNotAllowed         405
    ├── SlowRequest              408  its body did not come in time
    ├── Conflict                 409  it is in use, or its state does not allow that
    │   └── Stale                409  somebody changed it first; with what is there now
    ├── Gone                     410  a one-use link that was used or is too old
    ├── TooLarge                 413
    ├── UnsupportedMedia         415
    ├── Misdirected              421  the Host header names another site
    ├── UpstreamRefused          400  a provider that speaks another API format refused it; with its words and status
    ├── RateLimited              429  a limit of ours, or every backend rests
    ├── UpstreamFailed           502  a provider failed
    │   └── CredentialsExhausted 502  a provider refused our keys
    ├── Unavailable              503  nothing can serve this now
    ├── DeadlineExceeded         504  no answer in time
    └── Unexpected               500  our fault: the words are constant, the log has the rest

    StartError                        the program cannot start; its exit code says why
    ├── ConfigurationFault       78   every fault of the settings at once
    └── DataDirectoryInUse       73   another process holds the data directory

Each answers in the caller's wire format in one place per format; `message` is safe to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class GatewayError(Exception):
    """An answer that is not a success.

    `status` is the HTTP status, `type` and `code` are the words of the OpenAI error object,
    `retry_after` is in seconds and `retryable` becomes `x-should-retry` where it is known. `details` are further
    members of the error object.
    """

    status = 500
    type = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param
        self.retry_after = retry_after
        self.retryable = retryable
        self.details: Mapping[str, object] = {}


class BadInput(GatewayError):
    status = 400
    type = "invalid_request_error"


class InvalidFields(BadInput):
    """`fields` maps the name of each wrong field to what is wrong with it."""

    code = "invalid_fields"

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = dict(fields)
        listing = "; ".join(f"{name}: {fault}" for name, fault in self.fields.items())
        super().__init__(listing, param=next(iter(self.fields), None))


class NotTranslatable(BadInput):
    """`param` is the field, in the words of the client's API format."""

    code = "not_translatable"

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message, param=param, retryable=False)


class NotAuthenticated(GatewayError):
    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class OutOfMoney(GatewayError):
    """Amounts are nano-dollars, `resets_at` is Unix ms; None where the limit never begins anew."""

    status = 402
    type = "insufficient_quota"
    code = "budget_exceeded"

    def __init__(
        self, message: str, *, limit: str, limit_nano: int, used_nano: int, reserved_nano: int, resets_at: int | None
    ) -> None:
        super().__init__(message, retryable=False)
        self.details = {
            "limit": limit,
            "limit_nano": limit_nano,
            "used_nano": used_nano,
            "reserved_nano": reserved_nano,
            "resets_at": resets_at,
        }


class Forbidden(GatewayError):
    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(GatewayError):
    """`allowed` is what the path takes instead."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"This path takes {allowed}, not {method}.")
        self.allowed = allowed


class SlowRequest(GatewayError):
    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class Conflict(GatewayError):
    status = 409
    type = "invalid_request_error"
    code = "conflict"


class Stale(Conflict):
    """`current` is the row that is there now, `shown` the same as the API shows it."""

    code = "changed_meanwhile"

    def __init__(self, message: str, current: object) -> None:
        super().__init__(message)
        self.current = current
        self.shown: object = None


class Gone(GatewayError):
    status = 410
    type = "invalid_request_error"
    code = "gone"


class TooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedMedia(GatewayError):
    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class Misdirected(GatewayError):
    status = 421
    type = "invalid_request_error"
    code = "misdirected_request"


class UpstreamRefused(GatewayError):
    """`status` is the provider's, from 400 to 499."""

    status = 400
    type = "invalid_request_error"
    code = "upstream_refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, retryable=False)
        self.status = status


class RateLimited(GatewayError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class UpstreamFailed(GatewayError):
    status = 502
    type = "upstream_error"
    code = "upstream_error"


class CredentialsExhausted(UpstreamFailed):
    code = "upstream_credentials_exhausted"


class Unavailable(GatewayError):
    status = 503
    type = "service_unavailable_error"
    code = "service_unavailable"


class DeadlineExceeded(GatewayError):
    status = 504
    type = "timeout_error"
    code = "deadline_exceeded"


class Unexpected(GatewayError):
    def __init__(self) -> None:
        super().__init__("The gateway failed while serving this request; its log tells why.")


class StartError(Exception):
    """The program cannot start. `exit_code` follows sysexits.h."""

    exit_code = 1


class ConfigurationFault(StartError):
    """`faults` lists everything that is wrong, so that one start shows it all."""

    exit_code = 78

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class DataDirectoryInUse(StartError):
    exit_code = 73
