"""Bedrock in place of MiniStack's: knowledge bases with ingestion jobs, direct ingestion and Retrieve, and Titan's
embeddings, with the real API's limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from millrace.local.anchors import hold
from millrace.local.bedrock.bases import Bases
from millrace.local.bedrock.control import Control
from millrace.local.bedrock.documents import Documents
from millrace.local.bedrock.indexing import Indexer
from millrace.local.bedrock.ingestion import Ingestion
from millrace.local.bedrock.jobs import Jobs
from millrace.local.bedrock.limits import CONCURRENT_REQUESTS, PAYLOAD_BYTES
from millrace.local.bedrock.orders import Orders
from millrace.local.bedrock.pace import Pace
from millrace.local.bedrock.retrieval import Retrieval
from millrace.local.bedrock.store import Store
from millrace.local.bedrock.titan import Titan
from millrace.local.emulated import Concurrency, Emulated, Operation, replace
from millrace.local.gateway import Route
from millrace.local.iam import Authority
from millrace.local.pace import Gate
from millrace.local.search.indexing import Background
from millrace.local.search.reading import EmbeddedS3

__all__ = ["Bedrock", "Pace", "install"]

PRINCIPAL = "bedrock.amazonaws.com"
PAYLOADS = {"IngestKnowledgeBaseDocuments": PAYLOAD_BYTES}
CHANGES = frozenset({"IngestKnowledgeBaseDocuments", "DeleteKnowledgeBaseDocuments"})


class Bedrock:
    """The operations of `bedrock-agent` and `bedrock-agent-runtime` about knowledge bases, and of `bedrock-runtime`
    about embeddings.

    `scope` tells the region and account of the running request; `wake` tells the indexer of new work, `wake_ingestion`
    the ingestion of new jobs.
    """

    def __init__(
        self,
        store: Store,
        pace: Pace,
        ingestion: Ingestion,
        *,
        clock: Callable[[], float],
        ticks: Callable[[], float],
        scope: Callable[[], tuple[str, str]],
        wake: Callable[[], None],
        wake_ingestion: Callable[[], None],
    ) -> None:
        self._pace = pace
        self._gate = Gate("Bedrock", pace, ticks)
        self._bases = Bases(store, pace, clock=clock, scope=scope)
        self._documents = Documents(store, self._bases, pace, self._gate, clock=clock, wake=wake)
        self._retrieval = Retrieval(store, self._bases, self._gate)
        self._titan = Titan(self._gate, scope)
        orders = Orders()
        self._jobs = Jobs(store, self._bases, pace, self._gate, ingestion, orders, clock=clock, wake=wake_ingestion)
        self.control = Control(store, orders, clock=clock, wake=wake_ingestion)

    def agent(self) -> Emulated:
        operations: dict[str, Operation] = {
            **self._bases.operations(),
            **self._documents.operations(),
            **self._jobs.operations(),
        }
        return Emulated(
            "bedrock-agent",
            operations,
            payload_bytes=PAYLOADS,
            concurrency=Concurrency(CHANGES, CONCURRENT_REQUESTS),
        )

    def agent_runtime(self) -> Emulated:
        return Emulated("bedrock-agent-runtime", self._retrieval.operations())

    def runtime(self) -> Emulated:
        return Emulated("bedrock-runtime", self._titan.operations())

    def statistics(self) -> dict[str, Any]:
        """The pace, and what `Gate.counts` says of each region (which has the quotas) and operation."""
        return {"pace": vars(self._pace), "regions": self._gate.counts()}

    def set_pace(self, changes: Mapping[str, float]) -> None:
        """Change how fast Bedrock is from now on. Raises ValueError for a setting that it does not have."""
        self._gate.set_pace(changes)

    def routes(self) -> dict[tuple[str, str], Route]:
        """What may be asked and ordered beside the API."""
        control, path = self.control, "/_millrace/bedrock"
        return {
            ("GET", path): lambda _: self.statistics(),
            ("PUT", path): self.set_pace,
            ("GET", f"{path}/orders"): lambda _: control.orders(),
            ("PUT", f"{path}/orders"): control.order,
            ("DELETE", f"{path}/orders"): lambda _: control.forget_orders(),
            ("POST", f"{path}/jobs"): lambda asked: control.jobs(asked["dataSourceId"], covered=asked["covered"]),
            ("POST", f"{path}/releases"): lambda asked: control.release(asked["dataSourceId"]),
        }


def install(
    substrate: ModuleType, folder: Path, pace: Pace, *, authority: Authority, region: str, account: str
) -> Bedrock:
    """Put Bedrock in place of MiniStack's own; the knowledge bases' database is in the folder."""
    from ministack.core import iam_actions, responses, router

    hold(responses, "get_region")
    # All of Bedrock's services sign as `bedrock`: MiniStack tells them apart by path, and takes the action from
    # botocore's model, and the knowledge base or the model from the path.
    hold(router, "detect_service", r'r"^/knowledgebases/[^/]+/retrieve$"', 'path.startswith("/knowledgebases")')
    hold(iam_actions, "extract_iam_action", "_match_rest_action(service, method, path, query_params)")
    hold(iam_actions, "extract_resource_arn", 'knowledge-base/{parts[ki + 1]}"')
    hold(router, "detect_service", 'path.startswith("/model/")')
    hold(iam_actions, "extract_resource_arn", "foundation-model/{model_id}")
    store = Store(folder / "bedrock.sqlite")

    def arn(base: Any) -> str:
        return f"arn:aws:bedrock:{base.region}:{account}:knowledge-base/{base.id}"

    reader = EmbeddedS3(authority, PRINCIPAL, region, account)
    ingestion = Ingestion(store, reader, arn, account)
    bedrock = Bedrock(
        store,
        pace,
        ingestion,
        clock=time.time,
        ticks=time.monotonic,
        scope=lambda: (responses.get_region(), account),
        wake=Background(Indexer(store, reader, arn, account), time.time, "bedrock-indexing").wake,
        wake_ingestion=Background(ingestion, time.time, "bedrock-ingestion").wake,
    )
    replace(substrate, "bedrock-agent", bedrock.agent())
    replace(substrate, "bedrock-agent-runtime", bedrock.agent_runtime())
    replace(substrate, "bedrock-runtime", bedrock.runtime())
    return bedrock
