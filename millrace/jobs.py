"""The jobs table (docs/architecture.md, "The lock"): who holds a job, and who acted for it last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """`owner` may act now (None: nobody); `execution` acted last. Both are executions' names or ARNs. `run` names the
    work of the upload that was taken up last; `status` is RUNNING, FINISHED, FAILED or STOPPED."""

    job_id: str
    owner: str | None
    execution: str | None
    status: str | None
    run: str | None = None


class Jobs:
    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, job_id: str) -> Job | None:
        key = {"jobId": {"S": job_id}}
        said = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if said is None:
            return None
        text = {name: value["S"] for name, value in said.items() if "S" in value}
        return Job(job_id, text.get("owner"), text.get("execution"), text.get("status"), text.get("run"))
