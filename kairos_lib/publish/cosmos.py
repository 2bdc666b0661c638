"""Documents in Azure Cosmos DB (NoSQL), through the `azure-cosmos` package.

Address and key come from the environment alone. The key is removed from every text that leaves this
module, and no exception of the package leaves it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from kairos_lib.errors import KairosError
from kairos_lib.names import quoted
from kairos_lib.project import Project
from kairos_lib.publish.documents import Edition, Operation, batches, changes
from kairos_lib.publish.store import PUBLISHING, SCENES, VIDEOS, Store
from kairos_lib.remote import patience
from kairos_lib.remote.limits import Limits
from kairos_lib.remote.service import RefusedError, checked_address, from_environment, is_here

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.cosmos import ContainerProxy, CosmosClient

ENDPOINT = "COSMOS_ENDPOINT"
"""Environment variable: `https://<account>.documents.azure.com:443/`."""
KEY = "COSMOS_KEY"
"""Environment variable: one of the account's keys."""
DATABASE = "COSMOS_DATABASE"
"""Environment variable: the database's name; `kairos` by default."""
PARTITION_KEY = "/video_id"
DIGESTS = "SELECT c.id, c.digest FROM c WHERE c.video_id = @video_id"
ATTEMPTS = 12
"""Of one request."""
TIMEOUT_S = 60
PASSING_STATUS = {408, 429, 449, 503}
"""Refusals that say to try again: too slow, too many requests, two writers, away."""
TOO_MANY = 429
WAIT_MS = "x-ms-retry-after-ms"
ADVICE = {
    401: f"check {ENDPOINT} and {KEY}",
    403: f"check that {KEY} may write, and the account's firewall",
}
Answer = TypeVar("Answer")


def opened(project: Project) -> Cosmos:
    """The database that the environment names.

    Args:
        project: Where the limit of requests at once is kept.

    Raises:
        KairosError: Something is not set, or the database cannot be used.
    """
    address = checked_address(ENDPOINT, from_environment(ENDPOINT), KEY)
    name = os.environ.get(DATABASE, "").strip() or "kairos"
    if not re.fullmatch(r"[^/\\?#\s][^/\\?#]{0,254}", name):
        raise KairosError(f"{DATABASE} is {quoted(name)}: a name has none of / \\ ? #")
    digits = hashlib.sha256(address.encode()).hexdigest()[:12]
    limits = Limits(project.runs / PUBLISHING / digits, concurrency=1, per_minute=None)
    return Cosmos(address, from_environment(KEY), name, limits)


class Cosmos(Store):
    """Two containers of one database, made if they are not there.

    Args:
        address: Of the account.
        key: One of its keys.
        database: Its name.
        limits: Of requests at once.

    Raises:
        KairosError: The database cannot be reached, or a container has another partition key.
    """

    def __init__(self, address: str, key: str, database: str, limits: Limits) -> None:
        # Each request and each attempt would be a line of its own.
        logging.getLogger("azure").setLevel(logging.ERROR)
        self._key = key
        self._patience = patience.Patience("Cosmos DB", limits, ATTEMPTS)
        client = self._patience.ask(lambda: self._connect(address, key))
        there = self._ask(lambda: client.create_database_if_not_exists(database))
        self._videos, self._scenes = (self._container(there, name) for name in (VIDEOS, SCENES))

    def digest(self, video_id: str) -> str:
        """From the video's own document, in one read."""
        from azure.cosmos.exceptions import CosmosResourceNotFoundError

        def read() -> dict[str, Any]:
            try:
                return self._videos.read_item(video_id, partition_key=video_id)
            except CosmosResourceNotFoundError:
                return {}

        return str(self._ask(read).get("digest", ""))

    def write(self, edition: Edition) -> int:
        """Change what differs, in transactions; the video's own document is away meanwhile."""
        video_id = edition.video_id
        self._ask(lambda: self._delete_video(video_id))
        count = 0
        for batch in batches(changes(edition, self._digests(video_id))):
            self._execute(batch, video_id)
            count += len(batch)
        self._ask(lambda: self._videos.upsert_item(edition.video))
        return count

    def _connect(self, address: str, key: str) -> CosmosClient:
        """The first request tells a wrong address or key at once, without patience."""
        try:
            return self._once(lambda: _client(address, key))
        except ValueError as error:  # The package decodes the key.
            problem = f"{KEY} is not a key: it must be base64, as the account's page shows it"
            raise KairosError(problem) from error
        except RefusedError as refused:
            if refused.status:
                raise
            problem = f"Cosmos DB cannot be reached: {refused}: check {ENDPOINT}"
        raise KairosError(problem)

    def _container(self, database: Any, name: str) -> ContainerProxy:
        from azure.cosmos import PartitionKey

        key = PartitionKey(PARTITION_KEY)
        made: ContainerProxy = self._ask(
            lambda: database.create_container_if_not_exists(name, partition_key=key)
        )
        paths = self._ask(made.read)["partitionKey"]["paths"]
        if paths != [PARTITION_KEY]:
            raise KairosError(
                f"container {name} is partitioned by {', '.join(paths)}, not {PARTITION_KEY}: "
                f"name another database in {DATABASE}"
            )
        return made

    def _delete_video(self, video_id: str) -> None:
        from azure.cosmos.exceptions import CosmosResourceNotFoundError

        with contextlib.suppress(CosmosResourceNotFoundError):
            self._videos.delete_item(video_id, partition_key=video_id)

    def _digests(self, video_id: str) -> dict[str, str]:
        """The digests of the scenes' documents that are there, page by page."""
        found: dict[str, str] = {}
        token: str | None = None

        def page(after: str | None) -> tuple[list[dict[str, Any]], str | None]:
            pages: Any = self._scenes.query_items(
                DIGESTS,
                parameters=[{"name": "@video_id", "value": video_id}],
                partition_key=video_id,
            ).by_page(after)
            return list(next(pages, ())), pages.continuation_token

        while True:
            items, token = self._ask(lambda after=token: page(after))  # type: ignore[misc]
            found |= {item["id"]: str(item.get("digest", "")) for item in items}
            if not token:
                return found

    def _execute(self, batch: list[Operation], video_id: str) -> None:
        operations: list[tuple[str, tuple[Any, ...]]] = [(one.kind, (one.target,)) for one in batch]
        self._ask(lambda: self._scenes.execute_item_batch(operations, partition_key=video_id))

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        """Send a request until it is answered, waiting as long as the service asks."""
        return self._patience.ask(lambda: self._once(request))

    def _once(self, request: Callable[[], Answer]) -> Answer:
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            return request()
        except HttpResponseError as error:
            refused = self._explain(error)
        except AzureError as error:
            refused = RefusedError(self._clean(str(error)), passing=True)
        # Raised here, so that no exception of the package is attached as its context.
        raise refused

    def _explain(self, error: HttpResponseError) -> RefusedError:
        status = error.status_code or 0
        reason = f"{status}: {self._clean(error.message or '')}"
        if status in PASSING_STATUS or status >= 500:
            return RefusedError(reason, True, wait_of(error), status == TOO_MANY, status)
        advice = ADVICE.get(status, "this will not change by trying again")
        return RefusedError(f"{reason}: {advice}", passing=False, status=status)

    def _clean(self, text: str) -> str:
        """The first line of a text, without the key."""
        first = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
        return first.replace(self._key, "(key)").rstrip(".:")


def _client(address: str, key: str) -> CosmosClient:
    from azure.cosmos import CosmosClient

    return CosmosClient(
        address,
        credential=key,
        # An emulator calls itself by another address than the one that reaches it.
        enable_endpoint_discovery=not is_here(urlsplit(address).hostname or ""),
        connection_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        # The least that the package can be told: 0 means its default. All patience is ours, since
        # the package has none with an operation that is refused within a batch.
        retry_total=1,
        retry_throttle_total=1,
    )


def wait_of(error: Any) -> float | None:
    """How long a refusal asks to wait, in seconds; None if it does not.

    Args:
        error: The package's: of a request, whose headers say it, or of a batch, in which the
            operation that was refused may say it as well.
    """
    headers = error.headers if getattr(error, "headers", None) else {}
    answers = getattr(error, "operation_responses", None) or ()
    asked = [headers.get(WAIT_MS), *(one.get("retryAfterMilliseconds") for one in answers)]
    known = [float(one) for one in asked if one is not None and re.fullmatch(r"[0-9.]+", str(one))]
    return max(known) / 1000 if known else None
