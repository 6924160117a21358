"""The same model behind LitServe, as its users would have it: the other side of `benchmarks/service.py`.

    python benchmarks/service_litserve.py BUNDLE PORT

One worker process a core, each with its own captioner on one thread; no batches.
"""

import sys
from pathlib import Path
from typing import Any

import litserve
from fastapi import Request

from sightline.captioner import load
from sightline.sessions import available_cores


class Captions(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.captioner = load(Path(sys.argv[1]), threads=1)

    def decode_request(self, request: Request) -> bytes:
        return request["photos"].file.read()

    def predict(self, photo: bytes) -> dict[str, Any]:
        return self.captioner(photo).as_dict()

    def encode_response(self, caption: dict[str, Any]) -> dict[str, Any]:
        return {"captions": [caption]}


if __name__ == "__main__":
    server = litserve.LitServer(
        Captions(api_path="/v1/captions"), accelerator="cpu", workers_per_device=available_cores()
    )
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
