"""The counters of the service, for Prometheus."""

from __future__ import annotations

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # they would double the lines of every counter

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one worker; workers share nothing, so each application has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info("sightline_worker", "The process that these numbers describe.", registry=self._registry).info(
            {"pid": str(os.getpid())}
        )
        self.requests = Counter(
            "sightline_requests",
            "Requests for captions by outcome: captioned (every photo), partly, unusable (no photo), or why refused.",
            ["outcome"],
            registry=self._registry,
        )
        self.photos = Counter(
            "sightline_photos", "Photos by outcome: captioned, or what was wrong.", ["outcome"], registry=self._registry
        )
        self.accepted = Gauge(
            "sightline_requests_taken", "Requests being read, waiting or captioned.", registry=self._registry
        )
        self.waiting = Gauge("sightline_photos_waiting", "Photos waiting for a core.", registry=self._registry)
        self.seconds = Histogram(
            "sightline_seconds",
            "Seconds by stage: reading (a request), waiting and captioning (a photo), request (from start to end).",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All counters in Prometheus' text format."""
        return generate_latest(self._registry)
