"""CloudWatch's metrics and alarms, where MiniStack has them only in name.

`embedded_format` finds metrics in logs, `expressions` is metric math, `queries` turns points into series, `judging`
decides the state of an alarm, `store` reads and writes MiniStack's points, `alarms` keeps alarms of expressions and
evaluates all of them, each minute and whenever a test asks for it; `functions` and `queues` measure themselves.

MiniStack drops an alarm's expression, mixes the dimensions of a metric, knows no missing data, measures the functions
that are called through its API and no others, and reads no metric out of a log.

Known limits: metrics are read out of the logs of functions and containers; of metric math there is what
`expressions` names, anything else is refused; an alarm's periods are counted back from the moment of its evaluation;
anomaly detection, composite alarms of expressions' children and high-resolution alarms are MiniStack's.
"""

from __future__ import annotations

from millrace.local.metrics.alarms import Alarms
from millrace.local.metrics.functions import measure_functions
from millrace.local.metrics.queues import measure_queues
from millrace.local.metrics.store import Store

__all__ = ["Alarms", "Store", "install"]


def install(store: Store) -> Alarms:
    """Keep and evaluate alarms. Raises anchors.AnchorMoved."""
    store.install()
    measure_functions(store)
    alarms = Alarms(store, lambda: measure_queues(store))
    alarms.install()
    alarms.start()
    return alarms
