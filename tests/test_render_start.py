"""The start of rendering: how many processes, and the compilation of the kernels."""

import errno

import numpy as np
import pytest
import torch

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.errors import HandsError
from latent_hands.hand.geometry import canonicalise
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.rendering.placed_hand import upright
from latent_hands.rendering.rays import kernels
from latent_hands.rendering.scene import left_form
from latent_hands.rendering.sets import set_writer
from latent_hands.rendering.sets.dataset import render_dataset


@pytest.mark.parametrize(
    ("count", "workers", "expected"), [(50, None, 1), (60, None, 4), (50, 2, 2), (60, 1, 1)]
)
def test_a_few_images_take_one_process(count, workers, expected, tmp_path, monkeypatch):
    used = []

    def results(out, plan, jobs, workers, alone):
        used.append(workers)
        yield from ()

    monkeypatch.setattr(set_writer.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(set_writer, "_results", results)
    monkeypatch.setattr(set_writer, "finish", lambda *arguments: None)
    render_dataset(tmp_path, count=count, size_px=16, evaluation_count=2, workers=workers, progress=False)
    assert used == [expected]


@pytest.mark.parametrize("quiet", [False, True])
def test_a_compilation_says_what_it_does(quiet, monkeypatch, capsys):
    kernels.load_kernels()
    assert kernels.are_compiled()
    assert capsys.readouterr().err in ("", f"{kernels.NOTICE}\n")
    monkeypatch.setattr(kernels, "are_compiled", lambda: False)
    kernels.load_kernels(quiet)
    assert capsys.readouterr().err == ("" if quiet else f"{kernels.NOTICE}\n")


def test_an_error_of_the_compiler_is_raised(monkeypatch):
    monkeypatch.setattr(kernels, "are_compiled", lambda: False)
    monkeypatch.setattr(kernels, "MODULES", ("latent_hands.absent",))
    with pytest.raises(RuntimeError, match=r"latent_hands\.absent"):
        kernels.load_kernels(quiet=True)


def test_the_upright_hand_is_the_inverse_of_its_canonical_viewpoint():
    rng, model = np.random.default_rng(0), HandModel.load()
    for _ in range(5):
        hand = model.sample_identity(rng), sample_articulation(rng)
        _, viewpoint = canonicalise(torch.from_numpy(left_form(*hand)))
        np.testing.assert_allclose(upright(*hand) @ viewpoint.numpy(), np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("a.png", "cannot write rendered hands to .*set: No space left on device"),
        (None, "cannot write rendered hands to .*set: No space left on device"),
        ("/package/light.jpg", "cannot render hands: /package/light.jpg: No space left on device"),
    ],
)
def test_an_error_of_the_system_names_the_file_that_has_it(file, message, tmp_path, monkeypatch):
    out = tmp_path / "set"

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device", *([] if file is None else [str(out / file)]))

    monkeypatch.setattr(set_writer, "_write_portion", fail)
    with pytest.raises(HandsError, match=message):
        render_dataset(out, count=1, size_px=64, progress=False)
