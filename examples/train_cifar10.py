"""Train a linear classifier and a two-layer network on real images by gradient descent.

    python examples/train_cifar10.py                               # scikit-learn's digits
    python examples/train_cifar10.py --data cifar-10-batches-py    # CIFAR-10 in its own layout

The losses are plain NumPy, symdiff derives their gradients, and the updates are plain NumPy again.
Accuracy on test images after 20 epochs: 93.06 % (linear) and 95.28 % (two layers) on the digits;
37.75 % and 44.00 % on CIFAR-10 with 10,000 training images. `--check` compares each step with a
backward pass written by hand.
"""

import argparse
import math
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from symdiff import value_and_grad

CLASSES = 10

Params = dict[str, np.ndarray]
Gradient = Callable[[Params, np.ndarray, np.ndarray], tuple[float, Params]]

# The two models; x: [n, d] images, one a row, labels: [n] integers.


def linear_scores(params: Params, x: np.ndarray) -> np.ndarray:
    """Scores [n, classes] of one linear map."""
    return x @ params["W"] + params["b"]


def two_layer_scores(params: Params, x: np.ndarray) -> np.ndarray:
    """Scores [n, classes] of a network with one hidden layer."""
    h = np.maximum(0, x @ params["W1"] + params["b1"])
    return h @ params["W2"] + params["b2"]


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean softmax cross-entropy; scores: [n, classes]."""
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_total = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_total - shifted[np.arange(len(labels)), labels])


def linear_loss(params: Params, x: np.ndarray, labels: np.ndarray) -> float:
    """Loss of the linear classifier."""
    return cross_entropy(linear_scores(params, x), labels)


def two_layer_loss(params: Params, x: np.ndarray, labels: np.ndarray) -> float:
    """Loss of the two-layer network."""
    return cross_entropy(two_layer_scores(params, x), labels)


# The same derivatives by hand, as one would write them without symdiff; --check compares.


def cross_entropy_by_hand(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The cross-entropy, and its derivative by scores: softmax minus one-hot, over n."""
    n = np.arange(len(labels))
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    odds = np.exp(shifted)
    total = np.sum(odds, axis=1, keepdims=True)
    scores_bar = odds / total
    scores_bar[n, labels] -= 1
    scores_bar /= len(labels)
    return np.mean(np.log(total[:, 0]) - shifted[n, labels]), scores_bar


def linear_by_hand(params: Params, x: np.ndarray, labels: np.ndarray) -> tuple[float, Params]:
    """Loss and gradient of the linear classifier."""
    loss, scores_bar = cross_entropy_by_hand(linear_scores(params, x), labels)
    return loss, {"W": x.T @ scores_bar, "b": np.sum(scores_bar, axis=0)}


def two_layer_by_hand(params: Params, x: np.ndarray, labels: np.ndarray) -> tuple[float, Params]:
    """Loss and gradient of the two-layer network."""
    h = np.maximum(0, x @ params["W1"] + params["b1"])
    loss, scores_bar = cross_entropy_by_hand(h @ params["W2"] + params["b2"], labels)
    h_in_bar = np.where(h > 0, scores_bar @ params["W2"].T, 0)
    return loss, {
        "W1": x.T @ h_in_bar,
        "b1": np.sum(h_in_bar, axis=0),
        "W2": h.T @ scores_bar,
        "b2": np.sum(scores_bar, axis=0),
    }


# Where descent starts.


def random_weights(rng: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
    """Weights [inputs, outputs] that keep the size of a signal through a ReLU."""
    scale = np.float32(np.sqrt(2 / inputs))
    return scale * rng.standard_normal((inputs, outputs), dtype=np.float32)


def linear_start(_rng: np.random.Generator, pixels: int, _hidden: int) -> Params:
    """Zeros, since the loss of a linear classifier has a single valley."""
    return {
        "W": np.zeros((pixels, CLASSES), dtype=np.float32),
        "b": np.zeros(CLASSES, dtype=np.float32),
    }


def two_layer_start(rng: np.random.Generator, pixels: int, hidden: int) -> Params:
    """Random weights, so that no two hidden neurons are alike, and biases of zero."""
    return {
        "W1": random_weights(rng, pixels, hidden),
        "b1": np.zeros(hidden, dtype=np.float32),
        "W2": random_weights(rng, hidden, CLASSES),
        "b2": np.zeros(CLASSES, dtype=np.float32),
    }


@dataclass(frozen=True)
class Model:
    """What training needs to know of a model."""

    scores: Callable[[Params, np.ndarray], np.ndarray]
    loss: Callable[[Params, np.ndarray, np.ndarray], float]
    by_hand: Gradient
    start: Callable[[np.random.Generator, int, int], Params]


MODELS = {
    "linear": Model(linear_scores, linear_loss, linear_by_hand, linear_start),
    "two-layer": Model(two_layer_scores, two_layer_loss, two_layer_by_hand, two_layer_start),
}

# Data.


class DataError(Exception):
    """The data cannot be used; the message says why in one line."""


@dataclass(frozen=True)
class Images:
    """Pixels [n, d] and labels [n], to learn from and to test with."""

    train_x: np.ndarray
    train_labels: np.ndarray
    test_x: np.ndarray
    test_labels: np.ndarray


class BatchUnpickler(pickle.Unpickler):
    """Reads arrays, lists, dicts and nothing else: a data file must not be able to run code."""

    ALLOWED = frozenset(
        {
            ("_codecs", "encode"),
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),  # as NumPy 1 wrote it
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.numeric", "_frombuffer"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a batch of images")
        return super().find_class(module, name)


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [n, 3072] and labels [n] of one file of CIFAR-10."""
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
            # NumPy 2.4.0 to 2.4.4 warn that the original files were pickled long ago.
            batch = BatchUnpickler(file, encoding="bytes").load()
        pixels = np.asarray(batch[b"data"])
        labels = np.asarray(batch[b"labels"]).astype(np.intp, casting="safe")
    except Exception as error:  # a damaged pickle can raise almost anything
        raise DataError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,) or pixels.size == 0:
        raise DataError(f"{path} is damaged: its images are {pixels.dtype} {pixels.shape}")
    if labels.shape != pixels.shape[:1] or not np.isin(labels, np.arange(CLASSES)).all():
        raise DataError(f"{path} is damaged: it lacks a label from 0 to 9 for each image")
    return pixels, labels


def load_cifar10(folder: Path) -> Images:
    """The images in a folder that is laid out like cifar-10-batches-py."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    paths = sorted(folder.glob("data_batch_*"))
    if not paths or not (folder / "test_batch").is_file():
        raise DataError(f"{folder} lacks data_batch_1 or test_batch; is it cifar-10-batches-py?")
    pixels, labels = zip(*map(read_batch, paths))
    return standardized(
        np.concatenate(pixels), np.concatenate(labels), *read_batch(folder / "test_batch")
    )


def load_digits() -> Images:
    """The 1,797 digits of scikit-learn, every fifth of them to test with."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError("pip install scikit-learn for its digits, or give --data DIR") from error
    pixels, labels = datasets.load_digits(return_X_y=True)
    test = np.arange(len(pixels)) % 5 == 0
    return standardized(pixels[~test], labels[~test], pixels[test], labels[test])


def standardized(
    train_x: np.ndarray, train_labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray
) -> Images:
    """The images in float32, shifted to mean 0 in each pixel and scaled to deviation 1 over all."""
    train_x, test_x = train_x.astype(np.float32), test_x.astype(np.float32)
    mean, deviation = np.mean(train_x, axis=0), np.std(train_x)
    for x in (train_x, test_x):  # in place: all of CIFAR-10 in float32 takes 700 MB
        x -= mean
        x /= deviation
    return Images(train_x, train_labels, test_x, test_labels)


def in_float64(images: Images) -> Images:
    """The same images in double precision."""
    return replace(
        images,
        train_x=images.train_x.astype(np.float64),
        test_x=images.test_x.astype(np.float64),
    )


# Training.


def descend(
    gradient: Gradient, params: Params, images: Images, options: argparse.Namespace
) -> Iterator[float]:
    """Move `params` in place against the gradient, batch by batch, and yield each batch's loss."""
    rng = np.random.default_rng(options.seed)
    firsts = range(0, len(images.train_x), options.batch)
    steps = options.epochs * len(firsts)
    step = 0
    for _ in range(options.epochs):
        order = rng.permutation(len(images.train_x))
        for first in firsts:
            batch = order[first : first + options.batch]
            loss, bar = gradient(params, images.train_x[batch], images.train_labels[batch])
            rate = options.rate * (1 - step / steps)  # smaller and smaller: it settles at the end
            for name in params:
                params[name] -= rate * bar[name]
            step += 1
            yield loss


def start(model: Model, images: Images, options: argparse.Namespace) -> Params:
    """The same parameters each time for the same seed, in the precision of the images."""
    rng = np.random.default_rng(options.seed)
    params = model.start(rng, images.train_x.shape[1], options.hidden)
    return {name: value.astype(images.train_x.dtype) for name, value in params.items()}


def accuracy(model: Model, params: Params, images: Images) -> float:
    """The share of test images whose greatest score is that of their label."""
    scores = model.scores(params, images.test_x)
    return np.mean(np.argmax(scores, axis=1) == images.test_labels)


def train(name: str, images: Images, options: argparse.Namespace) -> None:
    """Train a model and print a line for each epoch."""
    model = MODELS[name]
    params = start(model, images, options)
    losses = descend(value_and_grad(model.loss), params, images, options)
    batches = math.ceil(len(images.train_x) / options.batch)
    for epoch in range(1, options.epochs + 1):
        began = time.perf_counter()
        loss = np.mean(list(islice(losses, batches)))
        seconds = time.perf_counter() - began
        print(
            f"{name:9}  epoch {epoch:2}/{options.epochs}  loss {loss:.4f}  "
            f"test accuracy {accuracy(model, params, images):6.2%}  {seconds:.1f} s",
            flush=True,
        )


def check(name: str, images: Images, options: argparse.Namespace) -> None:
    """Train beside the gradient written by hand, and print how far apart the two come.

    In float64: in float32 the rounding of a step can switch a ReLU, and the paths then part.
    """
    model, images = MODELS[name], in_float64(images)
    ours, by_hand = (start(model, images, options) for _ in range(2))
    apart = [
        abs(loss - loss_by_hand)
        for loss, loss_by_hand in zip(
            descend(value_and_grad(model.loss), ours, images, options),
            descend(model.by_hand, by_hand, images, options),
        )
    ]
    print(
        f"{name:9}  in float64: test accuracy {accuracy(model, ours, images):6.2%}, by hand "
        f"{accuracy(model, by_hand, images):6.2%}; losses of {len(apart):,} steps differ by "
        f"{max(apart):.0e} at most"
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        description="Train classifiers of images with gradients that symdiff derives."
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="CIFAR-10's folder cifar-10-batches-py (default: scikit-learn's digits)",
    )
    parser.add_argument("--model", choices=[*MODELS, "both"], default="both")
    parser.add_argument("--epochs", type=at_least(1), default=20)
    parser.add_argument("--batch", type=at_least(1), default=100, help="images in a mini-batch")
    parser.add_argument(
        "--rate", type=float, help="of the first step (default: 0.01, for digits 0.1)"
    )
    parser.add_argument("--hidden", type=at_least(1), default=200, help="neurons of two-layer")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument(
        "--check", action="store_true", help="compare each step with a gradient written by hand"
    )
    options = parser.parse_args(arguments)
    if options.rate is None:
        options.rate = 0.01 if options.data else 0.1
    return options


def at_least(least: int) -> Callable[[str], int]:
    """A reader of numbers on the command line."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def main(arguments: list[str] | None = None) -> int:
    """Train what the command line asks for; 2 if the data cannot be used."""
    options = parse(arguments)
    try:
        images = load_cifar10(options.data) if options.data else load_digits()
    except DataError as error:
        print(f"train_cifar10: {error}", file=sys.stderr)
        return 2
    print(f"{len(images.train_x):,} images to learn from, {len(images.test_x):,} to test with")
    for name in MODELS if options.model == "both" else [options.model]:
        train(name, images, options)
        if options.check:
            check(name, images, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
