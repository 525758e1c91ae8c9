"""What becomes of a call's results and failures: events for instrumentation, and raising or keeping by `on_error`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal

from llama_index.core.instrumentation.events import BaseEvent

from llama_cloud_ext.errors import FailedItem, PartialFailureError
from llama_cloud_ext.instrumentation import dispatcher

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
"""What a failed input does: raise, or leave a FailedItem in its place."""


class Outcomes:
    """Collects what a call's inputs came to, on the caller's side, and ends the call as its mode has it.

    Args:
        on_error: "raise" or "skip".
        failures: Where failures are kept in lenient mode.
        event: Makes the product's instrumentation event of an outcome.
        log: Whether lenient mode logs each failure too, because the caller gets no record of it.
    """

    def __init__(
        self,
        on_error: OnError,
        failures: list[FailedItem],
        event: Callable[[Any], BaseEvent],
        *,
        log: bool = False,
    ) -> None:
        self._lenient = on_error == "skip"
        self._kept = failures
        self._event = event
        self._log = log
        self._failures: list[FailedItem] = []
        self._count = 0

    def take(self, outcome: Any) -> bool:
        """Note one outcome; whether it is handed to the caller."""
        self._count += 1
        dispatcher.event(self._event(outcome))
        if not isinstance(outcome, FailedItem):
            return True
        self._failures.append(outcome)
        if self._lenient:
            self._kept.append(outcome)
            if self._log:
                logger.warning("skipped %s", outcome)
        return self._lenient

    def take_all(self, outcomes: Iterable[Any], *, single: bool) -> Any:
        """Note all outcomes of a call and end it: its return value, the only one for a single input."""
        results = list(outcomes)
        for outcome in results:
            self.take(outcome)
        self.end(single=single, results=results)
        return results[0] if single else results

    def end(self, *, single: bool, results: list[Any] | None = None) -> None:
        """End the call.

        Raises:
            LlamaCloudError: The error of a call with a single input, unless the mode is lenient.
            PartialFailureError: For a call with several inputs, when the mode is strict or when all of them failed.
        """
        if not self._failures:
            return
        if self._lenient and (single or len(self._failures) < self._count):
            return
        if single:
            raise self._failures[0].error
        raise PartialFailureError(results=results or [], failures=self._failures, total=self._count)
