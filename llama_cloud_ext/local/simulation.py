"""Trouble on purpose: latency, rate limits and faults, for testing the code that talks to LlamaCloud."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from llama_cloud_ext.errors import ConfigurationError

Fault = Literal["429", "500", "503", "reset", "truncate", "lost"]
"""`reset` cuts the connection before the request is acted on, `lost` after it was (no answer comes back), `truncate`
in the middle of the answer; the numbers are answers with that status instead of any action."""

FAULTS: tuple[Fault, ...] = get_args(Fault)

Latency = float | tuple[float, float] | Callable[[str], float]


@dataclass
class Simulation:
    """What a local LlamaCloud pretends.

    Args:
        latency: Seconds added to each job: a number, a range to draw from, or a function of the file's name. Jobs that
            wait take no processor, so that any number of them can.
        requests_per_minute: Requests answered in any 60 seconds; further ones get a 429. None for no limit.
        fault_rate: Share (0 to 1) of requests that go wrong.
        faults: What goes wrong with them, chosen evenly.
        max_concurrent_jobs: Jobs that run at the same time; others stay PENDING. None for no limit with `latency`,
            otherwise one a core.
        download_seconds: How long presigned download URLs live; None for an hour.
        seed: Makes the draws repeatable: the same requests in the same order meet the same faults.

    Raises:
        ConfigurationError: A value is out of range or a fault unknown.

    Example:
        >>> Simulation(latency=(0.3, 12.0), fault_rate=0.2, faults=("503", "lost"), seed=7).draw_latency("a.pdf") < 12.0
        True
    """

    latency: Latency = 0.0
    requests_per_minute: float | None = None
    fault_rate: float = 0.0
    faults: tuple[Fault, ...] = FAULTS
    max_concurrent_jobs: int | None = None
    download_seconds: float | None = None
    seed: int | None = None
    _fault_draws: random.Random = field(init=False, repr=False)
    _latency_draws: random.Random = field(init=False, repr=False)
    _requests: deque[float] = field(init=False, repr=False, default_factory=deque)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.fault_rate <= 1:
            raise ConfigurationError(f"fault_rate is a share from 0 to 1, not {self.fault_rate}")
        self.faults = tuple(self.faults)
        if unknown := [fault for fault in self.faults if fault not in FAULTS]:
            raise ConfigurationError(f"unknown faults {unknown}; known: {', '.join(FAULTS)}")
        if self.fault_rate and not self.faults:
            raise ConfigurationError("fault_rate needs at least one of the faults")
        for name in ("requests_per_minute", "max_concurrent_jobs", "download_seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigurationError(f"{name} is a positive number, not {value}")
        low, high = self.latency if isinstance(self.latency, tuple) else (self.latency, self.latency)
        if not callable(low) and not callable(high) and not 0 <= low <= high:
            raise ConfigurationError(f"latency is a number of seconds, or a range (low, high), not {self.latency}")
        # Apart from each other, so that more polling does not change how long jobs take.
        self._fault_draws = random.Random(self.seed)  # noqa: S311 - no secrets are drawn
        self._latency_draws = random.Random(self.seed)  # noqa: S311 - no secrets are drawn

    @property
    def delays_jobs(self) -> bool:
        """Whether jobs take longer than their work."""
        return self.latency != 0.0

    def draw_latency(self, name: str) -> float:
        """Seconds that the next job takes on top of its work."""
        if callable(self.latency):
            return self.latency(name)
        if isinstance(self.latency, tuple):
            with self._lock:
                return self._latency_draws.uniform(*self.latency)
        return self.latency

    def draw_fault(self) -> Fault | None:
        """What goes wrong with the next request, or None."""
        if not self.fault_rate:
            return None
        with self._lock:
            if self._fault_draws.random() < self.fault_rate:
                return self._fault_draws.choice(self.faults)
        return None

    def admit(self) -> bool:
        """Count a request; False when it exceeds the rate."""
        if self.requests_per_minute is None:
            return True
        now = time.monotonic()
        with self._lock:
            while self._requests and self._requests[0] <= now - 60.0:
                self._requests.popleft()
            if len(self._requests) >= self.requests_per_minute:
                return False
            self._requests.append(now)
        return True


def simulation_of(options: dict[str, str]) -> Simulation:
    """Read a simulation from texts, as the query of a `local:` address holds them.

    Args:
        options: Names and values; `latency` may be `0.5` or `0.3-12`, `faults` is separated by commas.

    Raises:
        ConfigurationError: A name is unknown or a value unreadable.

    Example:
        >>> simulation_of({"latency": "0.3-12", "faults": "429,lost", "fault_rate": "0.2"}).latency
        (0.3, 12.0)
    """
    known = [field.name for field in fields(Simulation) if field.init]
    if unknown := sorted(set(options) - set(known)):
        raise ConfigurationError(f"unknown option {unknown[0]!r} of a local: address; known: {', '.join(known)}")
    return Simulation(**{name: _read_option(name, text) for name, text in options.items()})


def _read_option(name: str, text: str) -> Any:
    try:
        if name == "faults":
            return tuple(text.split(","))
        if name in {"seed", "max_concurrent_jobs"}:
            return int(text)
        low, dash, high = text.partition("-")
        return (float(low), float(high)) if dash and name == "latency" else float(text)
    except ValueError:
        raise ConfigurationError(f"option {name} of a local: address cannot be {text!r}") from None
