"""What all resource types share: plan, create, read, update, delete and tags, driven by one row of facts a type.

A row names the operations and how they name the object; naming.py finds the members. Where a type needs more than its
row, a subclass overrides hooks: identify, request, find, observe, finish, clear_away, alter, carries, body, answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import Shape

from millrace.local.terraform_provider import naming, planning, reading, schema
from millrace.local.terraform_provider.aws import Aws, is_absence, operation
from millrace.local.terraform_provider.errors import HalfMade, NotSent, NotThere, Unnamed
from millrace.local.terraform_provider.naming import Places
from millrace.local.terraform_provider.reading import State
from millrace.local.terraform_provider.wire import is_unknown, settle

KEPT = "skip_destroy"
"""The argument, of several types, that makes destroy leave the object where it is."""


@dataclass(frozen=True)
class Tagging:
    """The operations on tags; `by` is the request member that names the object, and the attribute that holds it."""

    list: str
    tag: str
    untag: str
    by: tuple[str, str]


def arn_tags(member: str) -> Tagging:
    return Tagging("list_tags_for_resource", "tag_resource", "untag_resource", (member, "arn"))


@dataclass(frozen=True)
class ResourceType:
    """The facts of one resource type. Operations are named as boto3 names its methods."""

    service: str
    create: str
    read: str
    delete: str | None
    key: Mapping[str, str]
    """How operations name the object: request member to attribute. The first attribute is the object's id."""
    update: str | None = None
    """Changes in place whatever it carries. The same as `create`: a put, which carries everything. None: replace."""
    sent: Places = field(default_factory=dict)
    """Exceptions to naming, in requests."""
    answered: Places = field(default_factory=dict)
    """Exceptions to naming, in answers, beyond those in requests."""
    found: str = ""
    """The place of the object in the answer of `read`, or of the list that `find` picks it from."""
    elsewhere: frozenset[str] = frozenset()
    """Arguments that the type's own code sends (hooks) and that force a new object."""
    in_place: frozenset[str] = frozenset()
    """Arguments that the type's own code sends and changes in place."""
    fixed: frozenset[str] = frozenset()
    """Arguments that force a new object although `update` could carry them."""
    cleared: Mapping[str, Any] = field(default_factory=dict)
    """What `update` sends for an argument that was taken away; other arguments that go away force a new object."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What hashicorp/aws plans for an argument that is not set."""
    invented: str = ""
    """The attribute that names the object and is made up where it is not set."""
    volatile: tuple[str, ...] = ()
    silent: Mapping[str, Any] = field(default_factory=dict)
    """What the service says of an argument that is not set, where that is not nothing."""
    tagging: Tagging | None = None
    name: str = ""

    def identify(self, state: State, answer: Mapping[str, Any]) -> State:
        """What the answer of `create` says of the object's identity, at least its id."""
        return {"id": state[next(iter(self.key.values()))]}

    def request(self, method: str, request: dict[str, Any], state: State, aws: Aws) -> dict[str, Any]:
        """The request as it is sent, out of what the row's facts made."""
        return request

    def find(self, state: State, answer: dict[str, Any]) -> dict[str, Any] | None:
        """The object in the answer of `read`; None when it is not there."""
        return naming.dig(answer, self.found.split(".")) if self.found else answer

    def observe(self, state: State, found: dict[str, Any], aws: Aws) -> State:
        """What is to be known beyond the members that the row's facts name."""
        return {}

    def finish(self, state: State, prior: State | None, aws: Aws) -> None:
        """The calls that belong to a create (prior is None) or an update beside the operation itself."""

    def clear_away(self, state: State, aws: Aws) -> None:
        """What must go before the object itself can be deleted."""

    def carries(self, attribute: str) -> bool:
        """Can `update` change the attribute?"""
        return naming.place_of(self.body(self.update or self.create), attribute, self.sent) is not None

    def alter(self, prior: State, state: State, arguments: State, gone: Mapping[str, Any], aws: Aws) -> None:
        """The update operation itself; a hook for the types whose service has one call an attribute.

        `gone` is what the operation is to say (`cleared`) of the arguments that were taken away.
        """
        if self.update is not None:
            self._call(self.update, state, aws, arguments=arguments, gone=gone)

    def body(self, method: str) -> Shape:
        """The shape that the object's arguments fill."""
        return operation(self.service, method).input_shape

    def answer(self) -> Shape | None:
        """The shape of what `find` returns."""
        shape = operation(self.service, self.read).output_shape
        shape = naming.shape_at(shape, self.found.split(".")) if self.found else shape
        return naming.item_shape(shape)

    @property
    def _own(self) -> frozenset[str]:
        return self.elsewhere | self.in_place

    @property
    def block(self) -> schema.Block:
        return schema.resource_block(self.name)

    def refuse(self, config: Mapping[str, Any]) -> None:
        """Raises NotSent and Unnamed."""
        elsewhere = self._own | {KEPT} | frozenset(self.key.values())
        paths = list(naming.unsent(self.block, config, self.body(self.create), self.sent, elsewhere))
        if not self.tagging and naming.is_set(config.get("tags")):
            paths.append("tags")
        if paths:
            raise NotSent(paths)
        if unnamed := self._unnamed(config):
            raise Unnamed(unnamed[0])

    def plan(self, prior: State | None, config: Mapping[str, Any], proposed: State, aws: Aws) -> planning.Plan:
        rules = planning.Rules(self.defaults, self._changes_in_place, self.volatile)
        return planning.plan(self.block, rules, prior, config, proposed, aws.region, aws.default_tags)

    def _unnamed(self, config: Mapping[str, Any]) -> list[str]:
        """The names that hashicorp/aws would make up."""
        wanted = {"name", *self.key.values()} - {"id", self.invented} - self.defaults.keys()
        return [
            name
            for name, spec in schema.attributes(self.block).items()
            if name in wanted and spec.get("optional") and spec.get("computed") and config.get(name) is None
        ]

    def _changes_in_place(self, attribute: str, prior: Any, new: Any) -> bool:
        if attribute in self.in_place or attribute == KEPT:
            return True
        if self.update is None or attribute in self.fixed | self.elsewhere | frozenset(self.key.values()):
            return False
        if self.update == self.create:
            return True
        if naming.is_set(prior) and not naming.is_set(new) and attribute not in self.cleared:
            return False
        return self.carries(attribute)

    def make(self, planned: State, config: State, aws: Aws) -> State:
        """Create the object and return its state. Raises HalfMade once there is something that must be kept."""
        state = dict(planned)
        if self.invented and (state.get(self.invented) is None or is_unknown(state[self.invented])):
            state[self.invented] = f"terraform-{uuid.uuid4().hex[:26]}"
        answer = self._call(self.create, state, aws, arguments=self.arguments(config))
        state = settle({**state, **self.identify(state, answer)})
        try:
            self.finish(state, None, aws)
            if self.tagging and planned.get("tags_all"):
                self.set_tags({}, planned["tags_all"], self._look_again(state, aws, with_tags=False), aws)
            return self._look_again(state, aws)
        except Exception as cause:
            raise HalfMade(state, cause) from cause

    def _look_again(self, state: State, aws: Aws, with_tags: bool = True) -> State:
        seen = self.look(state, aws, with_tags)
        if seen is None:
            raise NotThere(f"{self.name} {state['id']} vanished while it was being made or changed")
        return seen

    def look(self, state: State, aws: Aws, with_tags: bool = True) -> State | None:
        """The object's state as it is now, or None when it is gone."""
        try:
            found = self.find(state, self._call(self.read, state, aws))
        except ClientError as error:
            if is_absence(error):
                return None
            raise
        if found is None:
            return None
        seen = naming.from_answer(self.block, found, self.answer(), {**self.sent, **self.answered})
        seen = {name: value for name, value in seen.items() if name not in self._own}
        seen |= self.observe(state, found, aws)
        if "region" in schema.attributes(self.block):
            seen["region"] = aws.region
        result = reading.merged(self.block, state, seen, self.silent)
        return result | self._tags(result, aws) if with_tags else result

    def change(self, prior: State, planned: State, config: State, aws: Aws) -> State:
        """Update the object in place."""
        state = settle({name: prior.get(name) if is_unknown(value) else value for name, value in planned.items()})
        if any(state[name] != prior.get(name) for name in state if name not in ("tags", "tags_all")):
            gone = {
                name: value
                for name, value in self.cleared.items()
                if naming.is_set(prior.get(name)) and not naming.is_set(state.get(name))
            }
            self.alter(prior, state, self.arguments(config), gone, aws)
            self.finish(state, prior, aws)
        old, new = prior.get("tags_all") or {}, state.get("tags_all") or {}
        if self.tagging and old != new:
            self.set_tags(old, new, state, aws)
        return self._look_again(state, aws)

    def arguments(self, config: State) -> State:
        """What requests carry: the configuration and the defaults, never what the service computed."""
        return {**self.defaults, **{name: value for name, value in config.items() if naming.is_set(value)}}

    def destroy(self, state: State, aws: Aws) -> None:
        if state.get(KEPT):
            return
        try:
            self.clear_away(state, aws)
            if self.delete:
                self._call(self.delete, state, aws)
        except ClientError as error:
            if not is_absence(error):
                raise

    def _call(
        self,
        method: str,
        state: State,
        aws: Aws,
        arguments: State | None = None,
        gone: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        shape, body = operation(self.service, method).input_shape, self.body(method)
        request = naming.to_request(self.block, arguments or {}, body, self.sent)
        for member, attribute in self.key.items():
            if member in shape.members and state.get(attribute) is not None and not is_unknown(state[attribute]):
                request[member] = state[attribute]
        for attribute, value in (gone or {}).items():
            if place := naming.place_of(body, attribute, self.sent):
                naming.put(request, place, value)
        return getattr(aws.client(self.service), method)(**self.request(method, request, state, aws))

    def tags_of(self, state: State, aws: Aws) -> dict[str, str]:
        assert self.tagging
        member, attribute = self.tagging.by
        try:
            answer = getattr(aws.client(self.service), self.tagging.list)(**{member: state[attribute]})
        except ClientError as error:
            if is_absence(error):
                return {}
            raise
        return naming.from_pairs(next((value for name, value in answer.items() if name.lower() == "tags"), {}))

    def set_tags(self, old: Mapping[str, str], new: Mapping[str, str], state: State, aws: Aws) -> None:
        assert self.tagging
        client, (member, attribute) = aws.client(self.service), self.tagging.by
        if gone := sorted(old.keys() - new.keys()):
            self._tag_call(client, self.tagging.untag, {member: state[attribute]}, gone)
        if put := {name: value for name, value in new.items() if old.get(name) != value}:
            self._tag_call(client, self.tagging.tag, {member: state[attribute]}, put)

    def _tag_call(self, client: Any, method: str, target: dict[str, Any], tags: Any) -> None:
        shape = operation(self.service, method).input_shape
        member = next(name for name in shape.members if name.lower() in ("tags", "tagkeys"))
        value = naming.as_pairs(tags, shape.members[member]) if isinstance(tags, dict) else tags
        getattr(client, method)(**target, **{member: value})

    def _tags(self, state: State, aws: Aws) -> State:
        if not self.tagging:
            return {}
        tags = self.tags_of(state, aws)
        own = {
            name: value
            for name, value in tags.items()
            if aws.default_tags.get(name) != value or name in (state.get("tags") or {})
        }
        return {"tags_all": tags, "tags": own or ({} if state.get("tags") is not None else None)}
