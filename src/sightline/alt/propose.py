"""Alt texts for photos, each captioned once whatever the number of pages that show it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sightline.alt.cache import Cache, Known
from sightline.alt.picture import kind_of
from sightline.caption import PHOTO, Caption
from sightline.captioner import BLANK, Captioner
from sightline.errors import SightlineError
from sightline.model_folder import ONNX, VOCABULARY


def maker_of(folder: Path, options: Mapping[str, Any]) -> str:
    """A name for all that a caption depends on, beside the photo: the model folder's content, and the search."""
    digest = hashlib.sha256(repr(sorted(options.items())).encode())
    for name in (ONNX, VOCABULARY):
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise SightlineError(f"{folder / name}: cannot be read ({error.strerror}); name a model folder") from None
    return digest.hexdigest()[:24]


def propose(
    photos: Iterable[Path], cache: Cache, load: Callable[[], Captioner], options: Mapping[str, Any]
) -> Iterator[tuple[Path, Known | SightlineError]]:
    """What each file is, and a text for those that are photos; the model is loaded only if some are new.

    ``options`` are of `Captioner.stream`. What is found goes into ``cache``, which is not saved here.
    """
    new = dict[Path, str]()
    same = dict[str, list[Path]]()  # files of the same new content, after the first
    for photo in photos:
        try:
            content = photo.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest not in cache and digest not in same and (kind := kind_of(content)) != "photo":
                cache[digest] = Known(kind)
        except OSError as error:
            yield photo, SightlineError(f"{photo}: cannot be read ({error.strerror})")
            continue
        except SightlineError as error:
            yield photo, SightlineError(f"{photo}: {error}")
            continue
        if digest in cache:
            yield photo, cache[digest]
        elif digest in same:
            same[digest].append(photo)
        else:
            same[digest] = []
            new[photo] = digest
    if not new:
        return
    with closing(load().stream(list(new), **options)) as results:  # type: ignore[type-var]
        for (photo, digest), result in zip(new.items(), results, strict=True):
            known = result if isinstance(result, SightlineError) else _known(result)
            if isinstance(known, Known):
                cache[digest] = known
            for one in (photo, *same[digest]):
                yield one, known


def _known(caption: Caption) -> Known:
    """A caption as a text; that of a blank photo, or of what the model takes for no photo, says nothing."""
    if caption.note == BLANK:
        return Known("blank")
    if caption.kind not in (None, PHOTO):
        return Known("drawing")
    return Known("photo", " ".join(caption.text.split()), caption.sureness(), caption.confidence is not None)
