"""A GPU gives the results of the CPU. Skipped without a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_hands import TINY, hands, windows
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_model

from latent_hands.configuration import load_experiment
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment
from latent_hands.data.augmentation.jpeg import jpeg
from latent_hands.hand import camera, geometry
from latent_hands.predictor import HandCrop, Model
from latent_hands.runs.folder import load_run
from latent_hands.training import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

GPU = "cuda"
NONE = Augmentation.none()
TINY = [*TINY, "--training.warmup=2"]


def both(graph):
    """Return the same model on the CPU and on the GPU."""
    cpu, gpu = tiny_model(graph), tiny_model(graph)
    gpu.vae.load_state_dict(cpu.vae.state_dict())
    return cpu, Model(gpu.vae, cpu.experiment, GPU)


def test_unaugmented_crops_are_equal():
    data = windows(70, 32)
    cpu, gpu = (
        augment(w, torch.arange(70, device=w.rgb.device), 32, NONE, torch.Generator(w.rgb.device))
        for w in (data, data.to(GPU))
    )
    for key, expected in cpu.items():
        assert gpu[key].device.type == GPU
        assert torch.allclose(gpu[key].cpu().float(), expected.float(), atol=1e-3), key


def test_labels_follow_the_crop_and_images_stay_in_range():
    everything = replace(Augmentation(), jpeg=0.5, occluders=0.5, grey=0.2)
    data = windows(130, 48, margin=1.5).to(GPU)
    index = torch.arange(130, device=GPU)
    batch, again = (
        augment(data, index, 32, everything, torch.Generator(GPU).manual_seed(1)) for _ in range(2)
    )
    assert batch["rgb"].shape == (130, 3, 32, 32)
    assert batch["rgb"].isfinite().all()
    assert batch["rgb"].abs().max() <= 1
    pose = geometry.compose(batch["cpose"], batch["viewpoint"])
    xyz_mm = batch["xyz_mm"][:, :1] + pose * batch["bone_mm"][:, None, None]
    assert torch.allclose(xyz_mm, batch["xyz_mm"], atol=1e-2)
    assert torch.equal(batch["uv_px"], again["uv_px"])


def test_jpeg_and_warps_are_equal():
    images = 2 * torch.rand(9, 3, 40, 56, generator=torch.Generator().manual_seed(0)) - 1
    quality = torch.linspace(20, 95, 9)
    cpu, gpu = jpeg(images.clone(), quality), jpeg(images.clone().to(GPU), quality.to(GPU)).cpu()
    assert (gpu - cpu).abs().mean() < 1e-3  # a coefficient between two steps may fall to either side
    W = camera.warp_matrix(torch.full((9, 2), 20.0), 30.0, 24, angle=torch.linspace(-3, 3, 9))
    gpu = camera.warp_images(images.to(GPU), W.to(GPU), 24).cpu()
    assert torch.allclose(gpu, camera.warp_images(images, W, 24), atol=1e-3)


PHASES = {
    "estimation": ("disentangle", "embed_pose", "embed_rgb"),
    "synthesis": ("disentangle", "embed_rgb"),
    "algorithm_2": ("disentangle", "embed_rgb"),
    "cross_modal": ("cross_modal",),
    "alternating": ("alternating",),
}


@pytest.mark.parametrize("name", PHASES)
def test_a_run_trained_on_the_gpu_loads_on_the_cpu(name, tmp_path):
    short = [f"--phases.{phase}.{what}" for phase in PHASES[name] for what in ("epochs=1", "batch_size=8")]
    experiment = load_experiment(name, [*TINY, *short])
    assert train(experiment, tmp_path / "run", hands=hands())
    state = load_run(tmp_path / "run")[0].state_dict()
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}
    assert all(tensor.isfinite().all() for tensor in state.values())


@pytest.mark.parametrize("rotations", [1, 4])
def test_estimates_are_equal(rotations):
    cpu, gpu = both(ESTIMATION)
    expected, found = (m.estimate(HandCrop.open(noise_image()), rotations=rotations) for m in (cpu, gpu))
    assert np.allclose(found.xyz_mm, expected.xyz_mm, atol=0.5)
    spread = gpu.estimate(HandCrop.open(noise_image()), draws=8).spread_mm
    assert spread is not None
    assert np.isfinite(spread).all()


def test_synthesised_images_are_equal():
    cpu, gpu = both(SYNTHESIS)
    sources = [noise_image(PX, PX, seed) for seed in range(3)]
    rows = (m.transfer(sources[:2], sources[1:]) for m in (cpu, gpu))
    for expected, found in zip(*rows, strict=True):
        assert all(np.abs(e.astype(int) - f).max() <= 2 for e, f in zip(expected, found, strict=True))
    walk = gpu.walk("pose", sources[0], sources[1], 4)
    assert len(walk.images) == len(walk.poses) == 4
