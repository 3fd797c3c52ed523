import argparse
import os
import pickle
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from symdiff import value_and_grad

REAL = os.environ.get("SYMDIFF_CIFAR10")  # a folder cifar-10-batches-py with the real images
MODELS = ["linear", "two-layer"]


@pytest.fixture(params=["digits", "in the layout of CIFAR-10", *(["CIFAR-10"] if REAL else [])])
def images(request, example):
    """What people drew, noise with stripes, and where they are the photographs."""
    if request.param == "digits":
        return example.load_digits()
    return example.load_cifar10(
        Path(REAL) if request.param == "CIFAR-10" else request.getfixturevalue("folder")
    )


@pytest.fixture
def options():
    """Two passes over the data, as fast as they may be without growing unstable."""
    return argparse.Namespace(epochs=2, batch=100, rate=0.01, hidden=50, seed=3)


def write(path: Path, pixels: np.ndarray, labels: object) -> None:
    """One file in the layout of CIFAR-10."""
    path.write_bytes(pickle.dumps({b"data": pixels, b"labels": labels}, protocol=2))


def random_batch(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[int]]:
    """Noise [count, 3072] with a bright stripe whose place is the label."""
    labels = rng.integers(10, size=count)
    pixels = rng.integers(128, size=(count, 3072), dtype=np.uint8)
    for image, label in zip(pixels, labels):
        image[300 * label : 300 * (label + 1)] += 64
    return pixels, labels.tolist()


@pytest.fixture
def folder(tmp_path):
    """Five batches and a test batch, all small, in a folder like the original."""
    rng = np.random.default_rng(0)
    for name in ["data_batch_1", *(f"data_batch_{i}" for i in range(2, 6)), "test_batch"]:
        write(tmp_path / name, *random_batch(rng, 40))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"airplane"]}))
    (tmp_path / "readme.html").write_text("not a batch")
    return tmp_path


def last_accuracy(out: str, model: str) -> float:
    """The percentage on a model's last line."""
    return float(re.findall(rf"^{model} +epoch.*test accuracy +(\S+)%", out, re.MULTILINE)[-1])


# Training.


def test_trains_on_digits_without_arguments(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("1,437 images to learn from, 360 to test with\n")
    assert len(re.findall(r"^(?:linear|two-layer) +epoch +\d+/20 ", out, re.MULTILINE)) == 40
    assert last_accuracy(out, "linear") > 92
    assert last_accuracy(out, "two-layer") > 94.5


def test_trains_on_five_batches(run, folder):
    code, out, err = run("--data", folder, "--epochs", 5, "--batch", 32, "--hidden", 30)
    assert (code, err) == (0, "")
    assert out.startswith("200 images to learn from, 40 to test with\n")
    assert last_accuracy(out, "linear") > 80
    assert last_accuracy(out, "two-layer") > 80


if REAL:

    def test_trains_on_cifar10(run):
        code, out, err = run("--data", REAL, "--epochs", 3)
        assert (code, err) == (0, "")
        assert last_accuracy(out, "linear") > 33
        assert last_accuracy(out, "two-layer") > 37


def test_same_seed_same_training(run):
    def accuracies(seed):
        out = run("--model", "two-layer", "--epochs", 2, "--seed", seed).out
        return re.findall(r"loss \S+", out)

    assert accuracies(1) == accuracies(1) != accuracies(2)


# Against the gradient written by hand.


@pytest.mark.parametrize("name", MODELS)
def test_training_is_that_of_the_gradient_by_hand_step_for_step(example, images, options, name):
    model, images = example.MODELS[name], example.in_float64(images)
    ours, by_hand = (example.start(model, images, options) for _ in range(2))
    for loss, loss_by_hand in zip(
        example.descend(value_and_grad(model.loss), ours, images, options),
        example.descend(model.by_hand, by_hand, images, options),
        strict=True,
    ):
        assert loss == pytest.approx(loss_by_hand, rel=1e-12)
        for parameter, value in by_hand.items():
            np.testing.assert_allclose(ours[parameter], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_every_gradient_in_float32_is_the_one_by_hand(example, images, options, name):
    model = example.MODELS[name]
    ours = value_and_grad(model.loss)

    def both(params, x, labels):
        loss, bars = ours(params, x, labels)
        loss_by_hand, bars_by_hand = model.by_hand(params, x, labels)
        assert loss.dtype == np.float32
        assert loss == pytest.approx(loss_by_hand, rel=1e-5)
        assert bars.keys() == bars_by_hand.keys()
        for parameter, bar in bars_by_hand.items():
            assert bars[parameter].dtype == np.float32
            close = 1e-5 * np.max(np.abs(bar))
            np.testing.assert_allclose(bars[parameter], bar, rtol=0, atol=close)
        return loss, bars

    for _ in example.descend(both, example.start(model, images, options), images, options):
        pass


def test_check_prints_that_both_agree(run):
    out = run("--epochs", 2, "--check").out
    found = re.findall(
        r"^(\S+) +in float64: test accuracy +(\S+)%, by hand +(\S+)%; "
        r"losses of 30 steps differ by (\S+) at most$",
        out,
        re.MULTILINE,
    )
    assert [name for name, *_ in found] == MODELS
    for _, ours, by_hand, apart in found:
        assert ours == by_hand
        assert float(apart) < 1e-12


# The loader.


def test_loads_batches_in_order(example, folder):
    images = example.load_cifar10(folder)
    paths = [folder / f"data_batch_{i}" for i in range(1, 6)]
    batches = [pickle.loads(path.read_bytes()) for path in paths]
    assert images.train_labels.tolist() == [label for b in batches for label in b[b"labels"]]
    assert images.train_x.shape == (200, 3072)
    assert images.test_x.shape == (40, 3072)

    pixels = np.concatenate([batch[b"data"] for batch in batches])
    expected = (pixels - np.mean(pixels, axis=0)) / np.std(pixels)
    np.testing.assert_allclose(images.train_x, expected, rtol=1e-4, atol=1e-5)


def python2_pickle(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 and its NumPy wrote the original files, with byte strings for text."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        + b"(K\x01(J%bJ%bt" % (struct.pack("<i", len(pixels)), struct.pack("<i", 3072))
        + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        + b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T%b%btb" % (struct.pack("<i", pixels.size), pixels.tobytes())
    )
    listed = b"".join(b"K" + bytes([label]) for label in labels)
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](" + listed + b"eu."


def test_loads_what_python_2_pickled(example, tmp_path):
    pixels, labels = random_batch(np.random.default_rng(0), 7)
    path = tmp_path / "data_batch_1"
    path.write_bytes(python2_pickle(pixels, labels))
    loaded_pixels, loaded_labels = example.read_batch(path)
    np.testing.assert_array_equal(loaded_pixels, pixels)
    assert loaded_labels.tolist() == labels


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("harm",)


PIXELS = np.zeros((2, 3072), dtype=np.uint8)
DAMAGED = {
    "empty": b"",
    "text": b"<html>404</html>",
    "truncated": pickle.dumps({b"data": PIXELS, b"labels": [0, 1]})[:5000],
    "no dict": pickle.dumps([1, 2]),
    "no labels": pickle.dumps({b"data": PIXELS}),
    "no images": pickle.dumps({b"data": PIXELS[:0], b"labels": []}),
    "grey images": pickle.dumps({b"data": PIXELS[:, :1024], b"labels": [0, 1]}),
    "no array": pickle.dumps({b"data": 5, b"labels": [0, 1]}),
    "floats": pickle.dumps({b"data": PIXELS / 255, b"labels": [0, 1]}),
    "label missing": pickle.dumps({b"data": PIXELS, b"labels": [0]}),
    "label too great": pickle.dumps({b"data": PIXELS, b"labels": [0, 10]}),
    "label negative": pickle.dumps({b"data": PIXELS, b"labels": [0, -1]}),
    "label a word": pickle.dumps({b"data": PIXELS, b"labels": [0, "cat"]}),
    "label a fraction": pickle.dumps({b"data": PIXELS, b"labels": [0.0, 1.0]}),
    "ragged labels": pickle.dumps({b"data": PIXELS, b"labels": [0, [1, 2]]}),
    "hostile": pickle.dumps(Hostile()),
}


def assert_one_clear_line(result, *words):
    code, out, err = result
    assert (code, out) == (2, "")
    assert re.fullmatch(r"train_cifar10: [^\n]+\n", err)
    for word in words:
        assert str(word) in err


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_damaged_batch(run, folder, monkeypatch, name, damage):
    monkeypatch.chdir(folder)
    (folder / name).write_bytes(DAMAGED[damage])
    assert_one_clear_line(run("--data", folder), folder / name, "damaged")
    assert not Path("harm").exists()


def test_folder_that_does_not_exist(run, tmp_path):
    assert_one_clear_line(run("--data", tmp_path / "none"), tmp_path / "none", "not a folder")


def test_file_in_place_of_a_folder(run, folder):
    assert_one_clear_line(run("--data", folder / "test_batch"), "not a folder")


@pytest.mark.parametrize("missing", ["data_batch_*", "test_batch"])
def test_folder_without_batches(run, folder, missing):
    for path in folder.glob(missing):
        path.unlink()
    assert_one_clear_line(run("--data", folder), folder, "cifar-10-batches-py")


def test_digits_without_scikit_learn(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert_one_clear_line(run(), "pip install scikit-learn", "--data")


@pytest.mark.parametrize(
    ("option", "least"), [("--epochs", 1), ("--batch", 1), ("--hidden", 1), ("--seed", 0)]
)
def test_numbers_that_make_no_sense(run, option, least):
    code, _, err = run(option, least - 1)
    assert code == 2
    assert err.endswith(f"error: argument {option}: {least - 1} is less than {least}\n")
