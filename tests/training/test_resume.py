"""Going on: after a move, with what is whole, with the same data only, and never two at once."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from sightline.errors import SightlineError
from sightline.nn.model_files import load_model
from sightline.shapes.draw import draw_shapes
from sightline.training.checkpoints import WholeCheckpoints
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.run_folder import check_resumable, run_lock
from sightline.training.train import train
from tests.training.conftest import tiny


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 0.5}, ["training.learning_rate: 0.001, not 0.5"]),
        ({"epochs": 5}, ["training.epochs: 3, not 5", "training.schedule: cosine"]),
        ({"workers": 2}, []),
    ],
)
def test_what_differs_from_the_recipe_that_began_is_named(change, named, tmp_path):
    began = tiny(schedule="cosine", learning_rate=0.001)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    began.save(tmp_path / "recipe.yaml")
    now = began.model_copy(update={"training": began.training.model_copy(update=change)})
    if not named:
        return check_resumable(tmp_path, now)
    with pytest.raises(SightlineError) as refused:
        check_resumable(tmp_path, now)
    assert all(part in str(refused.value) for part in named)


def run(data, out, epochs, **options):
    said = options.pop("said", [])
    return train(tiny(epochs=epochs), data, out, **{"export": False, "progress": False, "say": said.append, **options})


def assert_equal(out, unbroken):
    """The two runs left the same model and tell the same of its training."""
    assert load_model(out)[1] == load_model(unbroken)[1]
    weights, expected = load_model(out)[0].state_dict(), load_model(unbroken)[0].state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.fixture(scope="module")
def first_is_best():
    """The held-out loss falls with every epoch; where the highest counts, the first epoch stays the best."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrossEntropy, "better", "max")
        yield


@pytest.fixture(scope="module")
def unbroken(first_is_best, data, tmp_path_factory):
    return run(data, tmp_path_factory.mktemp("runs") / "unbroken", 3)


@pytest.fixture(scope="module")
def two_epochs(first_is_best, data, tmp_path_factory):
    """Copy it before going on."""
    return run(data, tmp_path_factory.mktemp("runs") / "two", 2)


@pytest.fixture
def begun(two_epochs, tmp_path):
    return Path(shutil.copytree(two_epochs, tmp_path / "begun"))


@pytest.mark.slow
def test_a_moved_run_keeps_its_best_epoch(begun, unbroken, data):
    moved = begun.rename(begun.parent / "über dort")
    assert_equal(run(data, moved, 3, resume=True), unbroken)
    assert load_model(moved)[1].training["kept_epoch"] == 1


def test_a_torn_last_checkpoint_is_made_good_from_the_best(begun, unbroken, data):
    last = begun / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    said = []
    assert_equal(run(data, begun, 3, resume=True, said=said), unbroken)
    assert any("last.ckpt: damaged; going on from epoch 1" in line for line in said)


def test_a_torn_best_checkpoint_leaves_the_last_epoch_and_says_so(begun, data):
    (begun / "checkpoints" / "best.ckpt").write_bytes(b"torn")
    said = []
    run(data, begun, 3, resume=True, said=said)
    assert any("best.ckpt: damaged; the model left is that of the last epoch, 3" in line for line in said)
    model, config, _ = load_model(begun)
    assert config.training["kept_epoch"] == 3
    last = torch.load(begun / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(model.state_dict()["decoder.output.weight"], last["model.decoder.output.weight"])


def test_no_whole_checkpoint_is_one_line(begun, data):
    for name in ("best", "last"):
        (begun / "checkpoints" / f"{name}.ckpt").write_bytes(b"torn")
    with pytest.raises(SightlineError, match=r"last\.ckpt: damaged \(.*\); start anew"):
        run(data, begun, 3, resume=True)


class Malicious:
    """Pickles as a call: whoever unpickles it without care makes the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["last", "best"])
def test_a_checkpoint_runs_no_code(name, begun, data, tmp_path):
    path = begun / "checkpoints" / f"{name}.ckpt"
    torch.save({**torch.load(path, weights_only=True), "more": Malicious(tmp_path / "made")}, path)
    if name == "best":  # which is read where the last one is damaged
        (begun / "checkpoints" / "last.ckpt").write_bytes(b"torn")
    with pytest.raises(SightlineError, match=rf"{name}\.ckpt: holds \w+\.mkdir") as error:
        run(data, begun, 3, resume=True)
    assert "\n" not in str(error.value)
    with pytest.raises(SightlineError, match=r"holds \w+\.mkdir"):
        WholeCheckpoints().load_checkpoint(path, weights_only=False)
    assert not (tmp_path / "made").exists()


@pytest.mark.slow
def test_a_full_disk_loses_nothing(begun, unbroken, data, disk_full):
    before = {path.name: path.read_bytes() for path in (begun / "checkpoints").iterdir()}
    with disk_full(20_000), pytest.raises(SightlineError, match=r"last\.ckpt: cannot be written \(.+\); make room"):
        run(data, begun, 3, resume=True)
    assert {path.name: path.read_bytes() for path in (begun / "checkpoints").iterdir()} == before
    assert_equal(run(data, begun, 3, resume=True), unbroken)


def test_other_data_is_refused_and_the_difference_named(begun, data, tmp_path):
    def changed(name, change):
        change(other := Path(shutil.copytree(data, tmp_path / name)))
        with pytest.raises(SightlineError, match=r"not the data that .* began with") as error:
            run(other, begun, 3, resume=True)
        return str(error.value)

    def caption(root):
        (file := root / "captions.txt").write_text(file.read_text().replace("circle", "disc"))

    def photo(root):
        with (next((root / "Images").glob("*0.png"))).open("ab") as file:
            file.write(b"\0")

    assert "other captions" in changed("captions", caption)
    assert "other names or sizes of photos in train" in changed("photo", photo)
    assert "train photos, not 24" in changed("more", lambda root: (shutil.rmtree(root), draw_shapes(root, 50)))


def test_the_same_data_elsewhere_is_not_other_data(begun, data, tmp_path):
    run(Path(shutil.copytree(data, tmp_path / "moved data")), begun, 3, resume=True)


@pytest.mark.slow
def test_a_run_that_keeps_no_fingerprint_of_its_data_is_not_resumed(begun, data):
    config = json.loads((begun / "config.json").read_text())
    del config["training"]["fingerprint"]
    (begun / "config.json").write_text(json.dumps(config))
    with pytest.raises(SightlineError, match=r"config\.json keeps no fingerprint"):
        run(data, begun, 3, resume=True)


@pytest.mark.slow
def test_two_trainings_do_not_share_a_folder(data, tmp_path):
    out = tmp_path / "out"
    with run_lock(out), pytest.raises(SightlineError, match="another training writes there now"):
        run(data, out, 1)
    assert not out.exists()
    out.mkdir()
    (out / ".lock").touch()  # what a process that was killed leaves
    run(data, out, 1)
