"""What some metric tests need and may not find: shared data, Java."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository, or the one that SIGHTLINE_SHARED names."""
    default = Path(__file__).resolve().parents[2].parent / "shared"
    folder = Path(os.environ.get("SIGHTLINE_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; SIGHTLINE_SHARED names another folder")
    return folder


@pytest.fixture(scope="session")
def java() -> None:
    if not shutil.which("java"):
        pytest.skip("Java is not on the PATH")
