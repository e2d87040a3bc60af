"""What the provider tells the person, drawn once. Each becomes a diagnostic of Terraform's.

* ProviderError      the message says what and where, for the person who wrote the configuration
  - Refusal          the local provider does not do this
    - NotSent        an argument is set that the local provider does not send
    - Unnamed        the configuration leaves a name open
  - NotThere         an object that must exist does not
  - NotTaken         the service answered with success, and a list of entries that it did not take
  - DuplicateSid     two statements of a policy document have one Sid
* HalfMade           an object was made but not finished; not a message but a state to keep
"""

from __future__ import annotations

from typing import Any


class ProviderError(Exception):
    pass


class Refusal(ProviderError):
    pass


class NotSent(Refusal):
    """`paths` are the dotted names of the arguments."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(f"the local provider does not send {', '.join(paths)}")
        self.paths = paths


class Unnamed(Refusal):
    def __init__(self, name: str) -> None:
        super().__init__(f'set "{name}"; the local provider makes up no names')


class NotThere(ProviderError):
    pass


class NotTaken(ProviderError):
    pass


class DuplicateSid(ProviderError):
    pass


class HalfMade(Exception):
    """Terraform keeps `state`, tainted, and makes the object anew; `cause` is what went wrong."""

    def __init__(self, state: dict[str, Any], cause: Exception) -> None:
        super().__init__(str(cause))
        self.state, self.cause = state, cause
