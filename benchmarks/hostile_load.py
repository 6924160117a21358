"""What honest clients of `sightline serve` notice of hostile ones, and what memory is left of them.

    python benchmarks/hostile_load.py [--model RUN] [--seconds 30] [--out FILE.json]

An honest client captions the page's example pictures (640 x 480), ten a second, each on a connection of its own and
timed from when it was due: first alone, then among 1,000 connections that say nothing, 50 requests that were half sent,
and 20 photos of 49 megapixels (PNG and progressive JPEG) that arrive at once, all from another address. Both parts last
equally long; the second one at least until the costly photos are answered.
Wanted: a p99 under three times the quiet one,
nothing refused but by 429, and memory after it within 60 MB of before. Clients, server and stream share the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

HONEST, HOSTILE = "127.0.0.1", "127.0.0.2"
A_SECOND, IDLE, SLOW, COSTLY = 10, 1000, 50, 20
FACTOR, MEGABYTES = 3, 60  # what is wanted


def form(photo: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n' + photo + b"\r\n--x--\r\n"


def ask(port: int, body: bytes, address: str) -> tuple[float, int]:
    """Seconds and status of one request."""
    began = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=120, source_address=(address, 0))
    try:
        connection.request("POST", "/v1/captions", body, {"Content-Type": "multipart/form-data; boundary=x"})
        answer = connection.getresponse()
        answer.read()
        return time.perf_counter() - began, answer.status
    except OSError:
        return time.perf_counter() - began, 0
    finally:
        connection.close()


def honest(port: int, bodies: list[bytes], seconds: float, hostile: threading.Event) -> dict[str, Any]:
    """Times of the requests of so many seconds, and for as long as ``hostile`` is set."""
    began, asked = time.perf_counter(), []
    with ThreadPoolExecutor(100) as pool:  # more than can wait at once, so that every request is sent when it is due
        while (due := len(asked) / A_SECOND) < seconds or hostile.is_set():
            time.sleep(max(0.0, began + due - time.perf_counter()))
            asked.append(pool.submit(ask, port, bodies[len(asked) % len(bodies)], HONEST))
    answers = [one.result() for one in asked]
    times = [1000 * took for took, status in answers if status == 200]
    return {
        "answers": dict(Counter(status for _, status in answers)),
        "p50 ms": round(statistics.median(times), 1),
        "p99 ms": round(statistics.quantiles(times, n=100)[98], 1),
        "longest ms": round(max(times), 1),
    }


def costly_photos() -> list[bytes]:
    picture = Image.linear_gradient("L").resize((7000, 7000)).convert("RGB")
    made = []
    for kind, options in (("PNG", {}), ("JPEG", {"progressive": True})):
        picture.save(file := io.BytesIO(), kind, **options)
        made.append(form(file.getvalue()))
    return [made[number % 2] for number in range(COSTLY)]


def hostile_connections(port: int) -> list[socket.socket]:
    head = b"POST /v1/captions HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    sent = [b""] * IDLE + [head, head + b"Content-Length: 100000\r\n\r\n--x\r\n"] * (SLOW // 2)
    opened = []
    for part in sent:
        opened.append(socket.create_connection(("127.0.0.1", port), 20, (HOSTILE, 0)))
        opened[-1].sendall(part)
    return opened


def memory_mb(port: int) -> float:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    found = re.search(rb"^process_resident_memory_bytes (\S+)", connection.getresponse().read(), re.MULTILINE)
    connection.close()
    assert found
    return float(found[1]) / 1e6


def measure(port: int, seconds: float) -> dict[str, Any]:
    examples = resources.files("sightline.serve").joinpath("page", "examples")
    bodies = [form(file.read_bytes()) for file in sorted(examples.iterdir(), key=lambda file: file.name)]
    costly, at_work = costly_photos(), threading.Event()
    honest(port, bodies, 4, at_work)  # warms up
    results: dict[str, Any] = {"memory before, MB": memory_mb(port), "quiet": honest(port, bodies, seconds, at_work)}
    opened = hostile_connections(port)
    time.sleep(2)  # until all are accepted
    at_work.set()

    def send_costly() -> list[tuple[float, int]]:
        with ThreadPoolExecutor(COSTLY) as pool:
            answers = list(pool.map(lambda body: ask(port, body, HOSTILE), costly))
        at_work.clear()
        return answers

    with ThreadPoolExecutor(1) as beside:
        answers = beside.submit(send_costly)
        results["hostile"] = honest(port, bodies, seconds, at_work)
        results["costly photos"] = {
            "answers": dict(Counter(status for _, status in answers.result())),
            "longest s": round(max(took for took, _ in answers.result()), 1),
        }
    for connection in opened:
        connection.close()
    time.sleep(3)
    results["memory after, MB"] = memory_mb(port)
    return results


def verdict(results: dict[str, Any]) -> dict[str, bool]:
    quiet, hostile = results["quiet"], results["hostile"]
    return {
        f"p99 under {FACTOR} times the quiet one": hostile["p99 ms"] < FACTOR * quiet["p99 ms"],
        "none refused but by 429": set(hostile["answers"]) <= {200, 429},
        f"memory within {MEGABYTES} MB": results["memory after, MB"] - results["memory before, MB"] < MEGABYTES,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seconds", type=float, default=30, help="of each part")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard > 0 else 4096, hard))
    command = [sys.executable, "-m", "sightline", "serve", "--port", "0"]
    command += ["--model", str(options.model)] if options.model else []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr is not None
        line = service.stderr.readline()
        found = re.search(r":(\d+),", line)
        assert found, line
        try:
            results = {"cores": len(os.sched_getaffinity(0)), **measure(int(found[1]), options.seconds)}
        finally:
            with contextlib.suppress(ProcessLookupError):
                service.send_signal(signal.SIGTERM)
        results["stderr lines"] = len(service.stderr.read().splitlines())
    results["wanted"] = verdict(results)
    for part in ("quiet", "hostile"):
        print(f"{part:8} " + "  ".join(f"{name}: {value}" for name, value in results[part].items()))
    for name, value in results.items():
        if name not in ("quiet", "hostile"):
            print(f"{name}: {value}")
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    sys.exit(not all(results["wanted"].values()))


if __name__ == "__main__":
    main()
