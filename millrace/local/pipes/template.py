"""A pipe's input template: JSON with variables in it, which each event fills (EventBridge user guide, "Pipes input
transformation").

A variable is a path into the event (`<$.body.detail.key>`) or a reserved one (`<aws.pipes.pipe-name>`). In a JSON
value's place it becomes JSON; inside a string it becomes text, which is not escaped, and of an object or list the
quotes are left out. A path that finds nothing gives null, in a string nothing. A body that is JSON text is read as
JSON by a path that goes into it.

* InvalidTemplate   the template can never give JSON
* NotFilled         an event made no JSON of it
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millrace.local.pipes.paths import InvalidPath, Path

STRING_OR_VARIABLE = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')
VARIABLE = re.compile(r"<([^<>\s]*)>")
RESERVED = (
    "aws.pipes.pipe-arn",
    "aws.pipes.pipe-name",
    "aws.pipes.source-arn",
    "aws.pipes.target-arn",
    "aws.pipes.event.ingestion-time",
    "aws.pipes.event",
    "aws.pipes.event.json",
)
WHOLE_EVENT = ("aws.pipes.event", "aws.pipes.event.json")


class InvalidTemplate(ValueError):
    pass


class NotFilled(ValueError):
    pass


@dataclass(frozen=True)
class Template:
    text: str
    paths: Mapping[str, Path]

    @classmethod
    def of(cls, text: str) -> Template:
        """Raises InvalidTemplate."""
        paths = {}
        for name in VARIABLE.findall(text):
            if name in RESERVED:
                continue
            try:
                paths[name] = Path.of(name)
            except InvalidPath as error:
                raise InvalidTemplate(f"<{name}> is neither a reserved variable nor a path: {error}") from None
        template = cls(text, paths)
        try:
            template._filled(dict.fromkeys([*paths, *RESERVED]))
        except NotFilled as error:
            raise InvalidTemplate(str(error)) from None
        return template

    def fill(self, event: Mapping[str, Any], reserved: Mapping[str, str]) -> Any:
        """What the event makes of the template. `reserved` are the pipe's own values, by name. Raises NotFilled."""
        found = {name: path.find(event) for name, path in self.paths.items()}
        return self._filled({**found, **reserved, **dict.fromkeys(WHOLE_EVENT, event)})

    def _filled(self, values: Mapping[str, Any]) -> Any:
        def in_string(variable: re.Match[str]) -> str:
            return _as_text(values[variable.group(1)])

        def anywhere(found: re.Match[str]) -> str:
            token = found.group()
            if token.startswith('"'):
                return VARIABLE.sub(in_string, token)
            return VARIABLE.sub(lambda variable: json.dumps(values[variable.group(1)]), token)

        filled = STRING_OR_VARIABLE.sub(anywhere, self.text)
        try:
            return json.loads(filled)
        except ValueError as error:
            raise NotFilled(f"the input template gives no JSON ({error}): {filled[:200]}") from None


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")
