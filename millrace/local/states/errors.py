"""What the embedded Step Functions answers to a request that it refuses. The codes are those of the API's
model.

* ApiError            the root; carries the code
  - InvalidRequest    a request that breaks the model, or asks for what this engine does not run
"""

from __future__ import annotations


class ApiError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidRequest(ApiError):
    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)
