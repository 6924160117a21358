"""What becomes of a folder of odd files, and of a thousand photos that fail: outcomes, peak memory, foreign lines.

    python benchmarks/robustness.py --photos DIR [--failing 1000] [--model DIR] [--out FILE.json]

Every file in the folder and below goes through `Captioner.stream`, in a process of its own, whose errors are all kept
and whose stderr must stay empty. Pillow's own tests make a good folder: ``Tests/images`` of its source. Then one
12-megapixel JPEG that is cut short is streamed again and again: the growth is of memory after the first hundred.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

import sightline
from sightline.preprocess import silence_pillow


def megabytes(field: str) -> float:
    """``VmHWM``, the most memory this process ever held, or ``VmRSS``, what it holds now; Linux tells."""
    kilobytes = re.search(rf"{field}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert kilobytes, "this needs Linux's /proc"
    return int(kilobytes[1]) / 1024


def outcomes(folder: Path, model: Path | None) -> dict[str, object]:
    silence_pillow()  # as the command does
    files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    results = list(sightline.load(model).stream(files))
    refusals = {file: str(result) for file, result in zip(files, results, strict=True) if isinstance(result, Exception)}
    reasons = Counter(re.sub(r"\d+", "N", text.removeprefix(f"{file}: ")) for file, text in refusals.items())
    return {
        "files": len(files),
        "captioned": len(files) - len(refusals),
        "refused_by_name": sum(text.startswith(file) for file, text in refusals.items()),
        "with_a_note": sum(bool(getattr(result, "note", "")) for result in results),
        "peak_megabytes": round(megabytes("VmHWM")),
        "reasons": dict(reasons.most_common()),
    }


def failing(number: int, model: Path | None) -> dict[str, object]:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).resize((4000, 3000)).save(whole, "JPEG")
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "cut.jpg"
        cut.write_bytes(whole.getvalue()[: whole.tell() // 2])
        stream = sightline.load(model).stream(cut for _ in range(number))
        errors = [next(stream) for _ in range(100)]
        before = megabytes("VmRSS")
        errors += stream
    assert all(isinstance(error, sightline.SightlineError) for error in errors)
    return {"failing": len(errors), "growth_megabytes": round(megabytes("VmRSS") - before, 1)}


def in_a_process_of_its_own(what: str, *arguments: object) -> dict[str, object]:
    command = [sys.executable, __file__, "--only", what, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    result = json.loads(done.stdout) if done.returncode == 0 else {"status": done.returncode}
    return result | {"foreign_lines": done.stderr.splitlines()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--failing", type=int, default=1000)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--only", choices=["outcomes", "failing"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.only == "outcomes":
        print(json.dumps(outcomes(arguments.photos, arguments.model)))
    elif arguments.only == "failing":
        print(json.dumps(failing(arguments.failing, arguments.model)))
    else:
        passed = ("--photos", arguments.photos, "--failing", arguments.failing)
        passed += ("--model", arguments.model) if arguments.model else ()
        result = {what: in_a_process_of_its_own(what, *passed) for what in ("outcomes", "failing")}
        text = json.dumps(result, indent=2) + "\n"
        print(text, end="")
        if arguments.out:
            arguments.out.write_text(text)


if __name__ == "__main__":
    main()
