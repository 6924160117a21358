"""SIGTERM, several workers, and what an operator looks at."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import pytest

from .conftest import HalfSent, serving


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_refuses_new_work_and_finishes_what_was_taken(tiny_bundle, photos, captioned, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the signal is ignored here, as under nohup, and by the service then")
    with serving(tiny_bundle) as service:
        taken = HalfSent(service, photos[0])
        wait_until(lambda: "sightline_requests_taken 1.0" in service.get("/metrics").text)
        service.process.send_signal(number)
        wait_until(lambda: service.get("/readyz").status_code == 503)
        assert service.get("/readyz").json() == {"status": "stopping"}
        assert service.get("/healthz").json() == {"status": "alive"}
        refused = service.post(photos[1])
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        assert refused.headers["Retry-After"] == "1"
        told = taken.finish()
        assert "200 OK" in told and f'"caption":"{captioned(photos[0])["caption"]}"' in told
        assert service.process.wait(timeout=10) == 0
        with pytest.raises(httpx2.ConnectError):
            service.get("/healthz")


def wait_until(condition) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_stopping_under_load_loses_nothing_that_was_taken(tiny_bundle, photos, captioned, workers):
    expected = [captioned(photo) for photo in photos]
    answers: list[tuple[float, int, object]] = []
    stopped_at = [float("inf")]

    def ask(number: int) -> None:
        for _ in range(2000):
            sent = time.monotonic()
            try:
                told = service.post(photos[number])
            except httpx2.HTTPError as error:
                answers.append((sent, 0, error))
                return
            answers.append((sent, told.status_code, told.json() == {"captions": [expected[number]]}))
            if told.status_code != 200:
                return

    with serving(tiny_bundle, "--workers", workers) as service:
        wait_until(lambda: service.get("/readyz").status_code == 200)
        clients = [threading.Thread(target=ask, args=(number % len(photos),)) for number in range(8)]
        for client in clients:
            client.start()
        time.sleep(0.7)
        stopped_at[0] = time.monotonic()
        assert service.stop() == 0
        for client in clients:
            client.join(timeout=20)
    captions = [right for _, status, right in answers if status == 200]
    assert len(captions) > len(clients) and all(captions)
    # Refused, or not let in any more: but nothing that was sent before the signal is left without an answer.
    assert {status for _, status, _ in answers} <= {200, 503, 0}
    assert not [error for sent, status, error in answers if status == 0 and sent < stopped_at[0]]


@pytest.mark.slow
def test_workers_share_the_port_and_end_with_the_process_that_started_them(tiny_bundle, photos, captioned):
    with serving(tiny_bundle, "--workers", 2) as service:
        seen: set[str] = set()
        for number in range(200):
            assert service.post(photos[number % 7]).json() == {"captions": [captioned(photos[number % 7])]}
            seen.update(re.findall(r'worker_info\{pid="(\d+)"', service.get("/metrics").text))
            if len(seen) == 2:
                break
        assert len(seen) == 2
        children = subprocess.run(["pgrep", "-P", str(service.process.pid)], capture_output=True, text=True).stdout
        service.process.kill()
        assert len(children.split()) >= 2
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children.split()))


def test_what_happens_is_counted(tiny_bundle, photos):
    with serving(tiny_bundle) as service:
        service.post(photos[0], photos[1])
        service.post(photos[0], ("notes.txt", b"no photo"))
        service.post(("notes.txt", b"no photo"))
        service.post(photos[0], beam_size=99)
        told = service.get("/metrics")
    assert told.headers["Content-Type"].startswith("text/plain; version=")
    lines = set(told.text.splitlines())
    assert {
        'sightline_requests_total{outcome="captioned"} 1.0',
        'sightline_requests_total{outcome="partly"} 1.0',
        'sightline_requests_total{outcome="unusable"} 1.0',
        'sightline_requests_total{outcome="bad_option"} 1.0',
        'sightline_photos_total{outcome="captioned"} 3.0',
        'sightline_photos_total{outcome="unreadable"} 2.0',
        'sightline_seconds_count{stage="captioning"} 5.0',
        'sightline_seconds_count{stage="waiting"} 5.0',
        'sightline_seconds_count{stage="reading"} 4.0',
        "sightline_requests_taken 0.0",
        "sightline_photos_waiting 0.0",
    } <= lines
