"""EventBridge Scheduler's schedules, fired in time and with their roles.

MiniStack keeps them, looks every ten seconds, asks no role, and knows no time zones, retries or dead-letter queues.
`expressions` says when a schedule is due, `clock` fires it then, or when a test asks for it, `delivery` calls its
target.

Known limits: targets are state machines, functions and queues, the others are refused when a schedule is made; a
flexible time window is not made use of; a rate without a start date is counted from when the schedule was made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from millrace.local.acting import Acting
from millrace.local.anchors import hold, patch
from millrace.local.schedules.clock import Clock, Key, Schedule
from millrace.local.schedules.delivery import CALLED, Delivery
from millrace.local.schedules.expressions import InvalidExpression, parsed
from millrace.local.targets import Targets, service_of

__all__ = ["Clock", "install"]

Answer = tuple[int, dict[str, str], bytes]
Write = Callable[[str, dict[str, Any]], Answer]


def refusal(asked: Mapping[str, Any]) -> str | None:
    """Why a schedule cannot be as it is asked for; None if it can."""
    arn = str((asked.get("Target") or {}).get("Arn", ""))
    if service_of(arn) not in CALLED:
        return f"the embedded AWS's schedules call state machines, functions and queues; {arn} is none"
    try:
        parsed(str(asked.get("ScheduleExpression")), asked.get("ScheduleExpressionTimezone") or "UTC")
    except InvalidExpression as error:
        return str(error)
    return None


def install(acting: Acting, targets: Targets) -> Clock:
    """Fire MiniStack's schedules. Raises anchors.AnchorMoved."""
    from ministack.services import scheduler

    hold(scheduler, "_tick_schedules", "account_id, region, key = state_key", "_schedules._data.pop(state_key, None)")

    def schedules() -> Mapping[Key, Schedule]:
        return dict(scheduler._schedules._data)

    def completed(key: Key, record: Schedule) -> None:
        if record["ActionAfterCompletion"] == "DELETE":
            scheduler._schedules._data.pop(key, None)

    clock = Clock(schedules, Delivery(acting, targets).deliver, completed)

    def checked(original: Write) -> Write:
        @functools.wraps(original)
        def write(name: str, asked: dict[str, Any]) -> Answer:
            said = refusal(asked)
            answer: Answer = scheduler._error(400, "ValidationException", said) if said else original(name, asked)
            clock.wake()
            return answer

        return write

    def telling(original: Write) -> Write:
        @functools.wraps(original)
        def delete(name: str, query: dict[str, Any]) -> Answer:
            answer = original(name, query)
            clock.wake()
            return answer

        return delete

    patch(scheduler, "_create_schedule", checked, '"ScheduleExpressionTimezone": body.get(', '"CreationDate": now')
    patch(scheduler, "_update_schedule", checked, '"LastModificationDate": _now()', "_schedules[key] = {")
    patch(scheduler, "_delete_schedule", telling, "del _schedules[key]")
    patch(scheduler, "start_scheduler", lambda _: clock.start, "_ticker_thread.start()")
    return clock
