"""Looks at the protocol in every scope and at each wrong variant: `python -m tests.model [small]`.

Prints a line each: worlds, moves, the longest way, seconds, the law that is broken, and what it was.
"""

from __future__ import annotations

import sys

from tests.model.checker import Result, check
from tests.model.scopes import LARGE, SMALL, WITHOUT_SWEEPER
from tests.model.variants import WRONG

HEAD = f"{'worlds':>10} {'moves':>11} {'depth':>5} {'seconds':>7} law  what"


def main(words: list[str]) -> int:
    """1 if a law is broken in a scope, or if a wrong variant does not break its law."""
    if set(words) - {"small"}:
        print("usage: python -m tests.model [small]", file=sys.stderr)
        return 2
    surprises = 0
    print(HEAD)
    for look in (*SMALL, *WITHOUT_SWEEPER, *(() if words else LARGE)):
        result = check(look.protocol(look.scope))
        sweeper = "" if look.protocol.sweeper else ", no sweeper"
        print(line(result, f"{look} ({result.scope}{sweeper})"), flush=True)
        if result.violation:
            surprises += 1
            print(result.violation)
    for wrong in WRONG:
        result = check(wrong.protocol(wrong.scope))
        print(line(result, f"wrong: {wrong.protocol.__name__} ({result.scope})"), flush=True)
        surprises += result.violation is None or result.violation.law != wrong.law
    return 1 if surprises else 0


def line(result: Result, what: str) -> str:
    law = result.violation.law if result.violation else "-"
    return f"{result.states:>10,} {result.moves:>11,} {result.depth:>5} {result.seconds:>7.1f} {law:<4} {what}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
