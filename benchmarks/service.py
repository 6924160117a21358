"""The HTTP service under load: against `captioner.stream`, against LitServe, over its queue, and while it stops.

    python benchmarks/service.py --photos DIR [--bundle BUNDLE] [--litserve PYTHON] [--out FILE.json]

The clients, the servers and the stream share this machine's cores; the clients are threads of one other process that
send prepared bytes over connections they keep. Sides take turns on the same photos, each asleep while another is
measured, and a rate or a ratio is the median over turns. Every answer is compared with the captioner's own caption of
its photo. PYTHON is an interpreter that has litserve beside sightline; without litserve that side is left out. Beam 3.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import platform
import queue
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sightline.captioner import load
from sightline.sessions import available_cores

BOUNDARY = "a-boundary-that-no-photo-holds"
CODE = "from sightline.cli.main import main; main()"
LITSERVE = Path(__file__).with_name("service_litserve.py")
QUEUE, CLIENTS = 64, 200


@dataclass(frozen=True)
class Answer:
    """One request's end: its photo's number, HTTP status (0: none came), caption, and when it was sent and answered."""

    photo: int
    status: int
    caption: str
    sent: float
    answered: float


def main() -> None:
    options = parse()
    paths = sorted(options.photos.glob("*.jpg"))[: options.count]
    photos = [path.read_bytes() for path in paths]
    captioner = load(options.bundle, threads=1)
    expected = [captioner(photo).text for photo in photos]
    results: dict[str, Any] = {"conditions": conditions(captioner, photos)}
    with multiprocessing.get_context("spawn").Pool(1, prepare, (photos,)) as clients:
        results |= speed(options, clients, photos, expected)
        results["overload"] = overload(options, clients, expected)
        results["memory"] = memory(options, clients, expected)
        results["SIGTERM under load"] = stopped(options, clients, expected)
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of JPEGs, for instance Flickr8k's")
    parser.add_argument("--bundle", type=Path, help="a model folder; the model in the package by default")
    parser.add_argument("--litserve", metavar="PYTHON", default=sys.executable, help="an interpreter with litserve")
    parser.add_argument("--count", type=int, default=400, help="photos of a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--many", type=int, default=10_000, help="requests over which memory is watched")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def conditions(captioner: Any, photos: list[bytes]) -> dict[str, Any]:
    packages = ("numpy", "pillow", "onnxruntime", "fastapi", "uvicorn")
    return {
        "cores": available_cores(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "model": f"{captioner.config.encoder}, {captioner.config.decoder}, {len(captioner.vocabulary)} words",
        "precision": captioner.precision,
        "photos": len(photos),
        "bytes a photo": round(statistics.mean(map(len, photos))),
        "load at the start": round(os.getloadavg()[0], 2),
    }


def speed(options: argparse.Namespace, clients: Any, photos: list[bytes], expected: list[str]) -> dict[str, Any]:
    """In turns: rates at 16 clients beside `stream`'s, and how long answers take at 1, 4 and 16 beside one photo.

    That is what a warm captioner with all cores takes, in this process.
    """
    alone, stream = load(options.bundle), load(options.bundle)
    rates: dict[str, list[float]] = {"stream": [], "sightline": [], "litserve": []}
    times: dict[tuple[str, int], list[float]] = {}
    with sightline_server(options) as ours, litserve_server(options) as theirs:
        servers = {name: server for name, server in (("sightline", ours), ("litserve", theirs)) if server.port}
        for port in (server.port for server in servers.values()):
            clients.apply(drive, (port, 4, list(range(32))))
        for _ in range(options.turns):
            with asleep(*servers.values()):
                rates["stream"].append(len(photos) / seconds(lambda: list(stream.stream(photos))))
                times.setdefault(("one photo", 0), []).extend([seconds(alone, photo) for photo in photos[:105]][5:])
            for (name, server), count in itertools.product(servers.items(), (1, 4, 16)):
                with asleep(*(other for other in servers.values() if other is not server)):
                    numbers = list(range(len(photos) if count > 1 else min(100, len(photos))))
                    began = time.monotonic()
                    answers = clients.apply(drive, (server.port, count, numbers))
                    check(answers, expected, allowed={200})
                    if count == 16:
                        rates[name].append(len(answers) / (time.monotonic() - began))
                    times.setdefault((name, count), []).extend(a.answered - a.sent for a in answers)
    return {"speed": told(rates, times), "litserve": theirs.reason or f"version {theirs.version}"}


def told(rates: dict[str, list[float]], times: dict[tuple[str, int], list[float]]) -> dict[str, Any]:
    medians = {name: statistics.median(values) for name, values in rates.items() if values}
    shares = [ours / streams for ours, streams in zip(rates["sightline"], rates["stream"], strict=True)]
    latencies = {
        f"{name}, {count} clients, ms" if count else f"{name}, ms": {
            "median": ms(quantile(values, 0.5)),
            "p99": ms(quantile(values, 0.99)),
        }
        for (name, count), values in times.items()
    }
    four, one = times["sightline", 4], times["one photo", 0]
    return {
        **{f"{name}, photos/s": round(rate, 1) for name, rate in medians.items()},
        "share of stream's rate": round(statistics.median(shares), 2),
        "share in each turn": [round(share, 2) for share in shares],
        **latencies,
        "p99 at 4 clients, times one photo": round(quantile(four, 0.99) / quantile(one, 0.5), 1),
    }


def overload(options: argparse.Namespace, clients: Any, expected: list[str]) -> dict[str, Any]:
    """Many more clients than the queue has places; each comes again when it is told to, until all are captioned."""
    with sightline_server(options) as server:
        numbers = [number % len(expected) for number in range(10 * CLIENTS)]
        answers = clients.apply(drive, (server.port, CLIENTS, numbers))
        check(answers, expected, allowed={200, 429})
        assert server.process.poll() is None, "the server died"
        statuses = Counter(answer.status for answer in answers)
        assert statuses[200] == len(numbers), f"{statuses[200]} of {len(numbers)} captioned"
        return {"clients": CLIENTS, "queue": QUEUE, "photos": len(numbers), "answers": dict(sorted(statuses.items()))}


def memory(options: argparse.Namespace, clients: Any, expected: list[str]) -> dict[str, Any]:
    """The server's resident memory as the requests go by."""
    sizes: dict[str, int] = {}
    with sightline_server(options) as server:
        done = 0
        for goal in (500, options.many // 4, options.many // 2, options.many):
            numbers = [number % len(expected) for number in range(done, goal)]
            check(clients.apply(drive, (server.port, 16, numbers)), expected, allowed={200})
            done, status = goal, Path(f"/proc/{server.process.pid}/status").read_text()
            sizes[f"after {goal}, MB"] = round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024)  # type: ignore[index]
    return sizes


def stopped(options: argparse.Namespace, clients: Any, expected: list[str]) -> dict[str, Any]:
    """SIGTERM while 32 clients ask without pause, each until it is refused: every request taken is answered."""
    with sightline_server(options) as server:
        numbers = [number % len(expected) for number in range(5000)]
        going = clients.apply_async(drive, (server.port, 32, numbers, True))
        time.sleep(2)
        server.process.send_signal(signal.SIGTERM)
        at = time.monotonic()
        answers: list[Answer] = going.get(timeout=60)
        status = server.process.wait(timeout=60)
    check([answer for answer in answers if answer.status], expected, allowed={200, 503})
    under_way = [answer for answer in answers if answer.sent < at <= answer.answered]
    return {
        "captioned": sum(answer.status == 200 for answer in answers),
        "under way at the signal": dict(Counter(answer.status for answer in under_way)),
        "sent after it": dict(Counter(answer.status for answer in answers if answer.sent >= at)),
        "lost": sum(answer.status == 0 for answer in under_way),
        "exit status": status,
    }


def check(answers: list[Answer], expected: list[str], allowed: set[int]) -> None:
    """Fail unless every answer came, has an allowed status, and is about its own photo."""
    others = Counter(answer.status for answer in answers if answer.status not in allowed)
    assert not others, f"statuses beside {allowed}: {others}"
    wrong = [answer for answer in answers if answer.status == 200 and answer.caption != expected[answer.photo]]
    assert not wrong, f"{len(wrong)} captions are not their photo's own: {wrong[0]}"


# The clients' process.
BODIES: list[bytes] = []


def prepare(photos: list[bytes]) -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photos"; filename="photo.jpg"\r\n\r\n'.encode()
    BODIES.extend(head + photo + f"\r\n--{BOUNDARY}--\r\n".encode() for photo in photos)


def drive(port: int, clients: int, numbers: list[int], until_refused: bool = False) -> list[Answer]:
    """Send the photos of these numbers from so many clients, each asking again as soon as it is answered."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    answers: list[Answer] = []
    threads = [threading.Thread(target=ask, args=(port, waiting, answers, until_refused)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def ask(port: int, waiting: queue.SimpleQueue[int], answers: list[Answer], until_refused: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    while True:
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            break
        status, caption, sent = 0, "", time.monotonic()
        try:
            connection.request("POST", "/v1/captions", BODIES[number], headers)
            response = connection.getresponse()
            status, body = response.status, json.loads(response.read())
            caption = body["captions"][0]["caption"] if status == 200 else ""
        except (OSError, http.client.HTTPException):
            connection.close()
        answers.append(Answer(number, status, caption, sent, time.monotonic()))
        if until_refused and status != 200:
            break
        if status == 429:
            waiting.put(number)
            time.sleep(float(response.headers["Retry-After"]))
    connection.close()


# The servers.
@dataclass
class Server:
    process: Any = None
    port: int = 0
    reason: str = ""
    version: str = ""


@contextmanager
def sightline_server(options: argparse.Namespace) -> Iterator[Server]:
    command = [sys.executable, "-c", CODE, "serve", "--port", "0", "--queue", str(QUEUE)]
    command += ["--model", str(options.bundle)] if options.bundle else []
    with started(command, stderr=subprocess.PIPE) as process:
        line = process.stderr.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        yield Server(process, int(found[1]))


@contextmanager
def litserve_server(options: argparse.Namespace) -> Iterator[Server]:
    asked = [options.litserve, "-c", "from importlib import metadata; print(metadata.version('litserve'))"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        yield Server(reason="left out: litserve is not installed")
        return
    port, folder = free_port(), options.bundle or load().folder
    command = [options.litserve, str(LITSERVE), str(folder), str(port)]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: get(port, "/health") == 200, 60)
        yield Server(process, port, version=done.stdout.strip())


@contextmanager
def started(command: list[str], **streams: Any) -> Iterator[Any]:
    process = subprocess.Popen(command, start_new_session=True, **streams)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def asleep(*servers: Server) -> Iterator[None]:
    """Servers that wait still look for work now and then; these do nothing at all meanwhile."""
    for server in servers:
        os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for server in servers:
            os.killpg(server.process.pid, signal.SIGCONT)


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], limit: float) -> None:
    until = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def ms(time_in_seconds: float) -> float:
    return round(1000 * time_in_seconds, 1)


if __name__ == "__main__":
    main()
