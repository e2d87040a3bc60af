"""What Lambda hands a handler beside the event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeLambdaContext:
    remaining_seconds: float = 300.0
    function_name: str = "millrace-test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:millrace-test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.remaining_seconds * 1000)
