"""From a source of photos to Parquet by Ray Data: read, caption, write; each step is Ray's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sightline.bulk.batches import CaptionBatches
from sightline.bulk.rows import arrow_schema, made_by, other_maker
from sightline.errors import SightlineError
from sightline.images.containers import Content, RowGroup, Shard
from sightline.images.find import PhotoFinder, Source
from sightline.images.source import ImageSource, file_system, is_remote, naming_errors
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY, available_cores

BATCH = 32
# A block is what is written at once, and what is done again after a kill: seconds of work, but not so few rows that a
# million photos make a hundred thousand files.
_ROWS_A_BLOCK = 1024
_BLOCKS_A_WORKER = 8
FINISHED = ".finished"


class Written(NamedTuple):
    """What is in the folder: rows, and how many of them hold an error instead of a caption."""

    rows: int
    errors: int


def caption_photos(
    source: Source | PhotoFinder,
    out: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
    max_pixels: int | None = None,
    allow_repeats: bool = False,
    device: str = "cpu",
    workers: int | None = None,
    column: str | None = None,
    overwrite: bool = False,
) -> Written:
    """Caption what a source holds on the workers of Ray; rows come in no order, as `CaptionBatches` gives them.

    Killed in whatever way, it goes on when it is called again: photos of which ``out`` has a row, by their names, are
    not captioned again. ``out`` then holds every row once. Which ones are finished is kept beside it, at ``out`` and
    ``.finished``; as long as both stay, photos may be added to the source.

    Args:
        source: photos, folders, patterns, shards, Parquet files, here or at a URL, as `PhotoFinder` takes them; or one
            that is ``absolute``.
        out: the folder, here or at a URI, that all workers write to.
        model, beam_size, length_penalty, max_pixels, allow_repeats, device: see `CaptionBatches`; ``"cuda"`` gives each
            worker a GPU of Ray's.
        workers: how many; by default a worker a core of the cluster, or a GPU.
        column: of Parquet files, the photos' column, see `sightline.images.containers.table_photos`.
        overwrite: whether to delete what is at ``out`` first.

    Raises:
        SightlineError: Ray is missing or cannot be reached, the source holds nothing, ``out`` holds something else, or
            rows made by another model.
    """
    folder, model = _absolute(out), None if model is None else _absolute(model)
    # An error in the model is raised here, rather than by every worker.
    search: dict[str, Any] = {"beam_size": beam_size, "length_penalty": length_penalty, "allow_repeats": allow_repeats}
    maker = made_by(CaptionBatches(model, **search).captioner, **search)
    connect()
    import ray

    if device == "auto":
        device = "cuda" if ray.cluster_resources().get("GPU") else "cpu"
    workers = workers or _workers(device)
    finder = source if isinstance(source, PhotoFinder) else PhotoFinder(source, column=column, absolute=True)
    if not (pieces := divide(finder, workers * _BLOCKS_A_WORKER, _ROWS_A_BLOCK)):
        raise finder.nothing_found()
    _make_ready(folder, maker, overwrite)
    options = {"model": model, **search, "max_pixels": max_pixels, "device": device}
    try:
        _run(pieces, folder, options, workers, maker)
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise SightlineError(
            f"{folder}: Ray gave up ({reason}); finished rows are kept; the same call resumes"
        ) from error
    return _count(folder)


def divide(finder: PhotoFinder, pieces: int = 16, at_most: int = 1024) -> list[Iterable[Content]]:
    """A finder's files as ``pieces``, or as more of ``at_most`` photos, and a piece for each shard and row group."""
    photos: list[ImageSource] = []
    containers: list[Iterable[Content]] = []
    for file in finder.files(once=True):
        if isinstance(file, Shard | RowGroup):
            containers.append(file)
        else:
            photos.append(file)
    size = min(at_most, -(-len(photos) // pieces) or 1)
    return [*(photos[start : start + size] for start in range(0, len(photos), size)), *containers]


def _absolute(place: str | os.PathLike[str]) -> str:
    """A name that means the same to every process."""
    name = os.fspath(place)
    return name if is_remote(name) else os.path.abspath(name)  # noqa: PTH100


def _run(pieces: Sequence[Iterable[Content]], out: str, options: dict[str, Any], workers: int, maker: str) -> None:
    """The pipeline. Reading and writing ask for no core of Ray's, as the workers take all there are."""
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.checkpoint import CheckpointConfig

    from sightline.bulk.datasource import PhotoSource

    context = DataContext.get_current().copy()
    context.checkpoint_config = CheckpointConfig("photo", out + FINISHED, delete_checkpoint_on_success=False)
    with DataContext.current(context):
        photos = ray.data.read_datasource(
            PhotoSource(pieces),
            num_cpus=0,
            concurrency=workers,
            override_num_blocks=max(len(pieces), workers * _BLOCKS_A_WORKER),  # or few pieces would be one block
        )
        captions = photos.map_batches(
            CaptionBatches,
            fn_constructor_kwargs=options,
            batch_size=BATCH,
            compute=ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=1 if options["device"] == "cuda" else None,
        )
        schema = arrow_schema().with_metadata({"made_by": maker})
        captions.write_parquet(out, ray_remote_args={"num_cpus": 0}, concurrency=workers, schema=schema)


def connect(address: str | None = None, quiet: bool = False) -> None:
    """Join the Ray at ``address``, as `ray.init` takes it, or the one that runs already, or start one on this machine.

    ``quiet``: only Ray's progress bars are shown, on a terminal.

    Raises:
        SightlineError: Ray is missing or cannot be reached.
    """
    # Usage reports go to Ray's makers only if somebody has asked for them.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if quiet:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import fsspec  # noqa: F401
        import pyarrow  # noqa: F401
        import ray
    except ImportError as error:
        raise SightlineError(f'Ray is not installed (no {error.name}): pip install "sightline[ray]"') from None
    if ray.is_initialized():
        return
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {"num_cpus": available_cores(), "include_dashboard": False}
    if quiet:
        options |= {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SightlineError(
            f"Ray cannot be reached at {address or 'this machine'} ({str(error).splitlines()[0]})"
        ) from None
    if quiet:
        import ray.data  # which sets its own level

        logging.getLogger("ray.data").setLevel(logging.ERROR)


def _workers(device: str) -> int:
    import ray

    kind = "GPU" if device == "cuda" else "CPU"
    if not (count := int(ray.cluster_resources().get(kind, 0))):
        raise SightlineError(f"Ray's cluster has no {kind}; start it with some, or choose another device")
    return count


def _make_ready(out: str, maker: str, overwrite: bool) -> None:
    """Delete what ``out`` holds, if it is to be overwritten; else check that this run may continue it."""
    with naming_errors(out):
        system, path = file_system(out)
        system.makedirs(path, exist_ok=True)
        if overwrite:
            # What is finished goes first: rows without it are refused, it without rows would lose photos.
            for folder in (path + FINISHED, path):
                if system.exists(folder):
                    system.rm(folder, recursive=True)
        tables = [name for name in system.find(path) if name.endswith(".parquet")] if system.exists(path) else []
        if not tables:
            if system.exists(path + FINISHED) and system.find(path + FINISHED):
                raise SightlineError(
                    f"{out}: its rows are gone, but {out}{FINISHED} says that photos are finished; start anew with"
                    " overwrite"
                )
            return
        if not system.exists(path + FINISHED):
            raise SightlineError(
                f"{out}: holds Parquet, but no {out}{FINISHED} says what of it is finished; name another folder, or"
                " start anew with overwrite"
            )
        earlier = next(filter(None, (_maker(system, name) for name in tables)), maker)
    if earlier != maker:
        raise other_maker(out, earlier, maker)


def _maker(system: Any, name: str) -> str | None:
    """What made a file's captions; None if the file was cut off: Ray will delete it."""
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    try:
        with system.open(name, "rb") as file:
            return ((read_schema(file).metadata or {}).get(b"made_by") or b"?").decode()
    except pa.ArrowInvalid:
        return None


def _count(out: str) -> Written:
    from pyarrow import dataset

    system, path = file_system(out)
    rows = dataset.dataset(path, filesystem=system, format="parquet")
    return Written(rows.count_rows(), rows.count_rows(filter=dataset.field("error").is_valid()))
