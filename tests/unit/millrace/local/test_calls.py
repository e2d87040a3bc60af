from __future__ import annotations

import pytest

from millrace.local.calls import Call, CallLog, principal_of


def test_equal_calls_are_counted_in_the_order_of_the_first():
    log = CallLog()
    put, get = (Call("worker", f"s3:{verb}Object", "arn:aws:s3:::b/k", True) for verb in ("Put", "Get"))
    for call in (put, get, put):
        log.add(call)
    assert [(each["action"], each["count"]) for each in log.all()] == [("s3:PutObject", 2), ("s3:GetObject", 1)]
    log.clear()
    assert log.all() == []


def test_an_allowed_and_a_denied_call_are_two():
    log = CallLog()
    for allowed in (True, False):
        log.add(Call("worker", "s3:GetObject", "*", allowed))
    assert [each["allowed"] for each in log.all()] == [True, False]


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:sts::123456789012:assumed-role/millrace-verify/function", "millrace-verify"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("", "root"),
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/ann"),
    ],
)
def test_a_principal_is_named_as_its_policies_are(arn, name):
    assert principal_of(arn) == name
