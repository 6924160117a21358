"""`huggingface_hub` as it is, talking to a Hub of the tests' own."""

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.hub.stand_in import TOKEN, StandIn


def forget_the_library() -> None:
    # It reads its surroundings when it is imported.
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    pytest.importorskip("huggingface_hub")
    server = StandIn()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    home = str(tmp_path_factory.mktemp("hub") / "größe 1")
    surroundings = {"HF_ENDPOINT": server.url, "HF_HOME": home, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    surroundings |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1"}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            patch.delenv(name, raising=False)
        for name, value in surroundings.items():
            patch.setitem(os.environ, name, value)
        forget_the_library()
        yield server
    forget_the_library()
    server.shutdown()
    server.server_close()
