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
)

disable_created_metrics()  # they would double the lines of every counter

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one worker; workers share nothing, so each application has its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        process = Info("sightline_worker", "The process that these numbers describe.", registry=registry)
        process.info({"pid": str(os.getpid())})
        requests = "Requests by outcome: captioned (every photo), partly, unusable (no photo), or why refused."
        self.requests = Counter("sightline_requests", requests, ["outcome"], registry=registry)
        photos = "Photos by outcome: captioned, or what was wrong."
        self.photos = Counter("sightline_photos", photos, ["outcome"], registry=registry)
        self.accepted = Gauge("sightline_requests_taken", "Requests read, waiting or captioned.", registry=registry)
        self.waiting = Gauge("sightline_photos_waiting", "Photos waiting for a core.", registry=registry)
        seconds = "Seconds by stage: reading (a request), waiting, captioning (a photo), request (from start to end)."
        self.seconds = Histogram("sightline_seconds", seconds, ["stage"], buckets=_SECONDS, registry=registry)
