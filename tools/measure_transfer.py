"""How well do synthesised hands keep their pose? An independent judge measures it.

    python tools/measure_transfer.py RUN SCENES [--epochs 12] [--seed 7]

The judge is a plain regression network at the synthesis resolution, trained on the true training pictures of
SCENES (a rendered set) alone, with a seed of its own. It then estimates the pose of evaluation pictures, that
it never saw, and of synthesised ones of the same poses; both are cut and resampled alike.
"""

import argparse
import json
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from latent_hands import synthesis
from latent_hands.data import open_data
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.metrics import bootstrap_weights, epe, interval_95, joint_errors
from latent_hands.networks.resnet import ResNet18
from latent_hands.predictor import Model

COLOURS_ONLY = Augmentation(rotation_deg=0, scale=(1, 1), shift=0, blur_px=0.7, downsample=0.6)


def train_judge(batches: Batches, epochs: int, seed: int) -> ResNet18:
    """Pose in bones from true pictures, by least squares."""
    torch.manual_seed(seed)
    judge = ResNet18(63, width=32, stem="unshuffle")
    optimiser = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.5e-3, epochs * len(batches))
    for epoch in track(range(epochs), "judge"):
        for batch in batches.epoch(epoch, {"rgb", "pose"}):
            loss = (judge(batch["rgb"]) - batch["pose"].flatten(1)).square().sum(dim=1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return judge.eval()


def millimetres(judge: ResNet18, pictures: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Errors (samples, joints) of the judge's poses."""
    pose = judge(pictures).unflatten(1, (21, 3))
    return joint_errors(pose, batch["pose"]) * batch["bone_mm"][:, None]


@torch.inference_mode()
def measure(
    model: Model, judge: ResNet18, batch: dict[str, Tensor], seed: int
) -> dict[str, dict[str, float]]:
    """The judge's EPE on true pictures, on the run's reconstructions and on its transfers."""
    vae, count = model.vae, len(batch["pose"])
    other = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    pose, content = synthesis.pose_factors(vae), synthesis.content_factors(vae)
    from_label = synthesis.infer(vae, pose, {"pose": batch["pose"]})
    from_photo = synthesis.infer(vae, pose, {"rgb": batch["rgb"]})
    tags = synthesis.infer(vae, content, {"tag": batch["tag"]})
    scene = {factor: z[other] for factor, z in tags.items()}
    pictures = {
        "true pictures": batch["rgb"],
        "own scene, pose from the label": synthesis.decode(vae, from_label | tags)["rgb"],
        "another scene, pose from the label": synthesis.decode(vae, from_label | scene)["rgb"],
        "another scene, pose from the photo": synthesis.decode(vae, from_photo | scene)["rgb"],
        "the other scene's tag (no pose at all)": batch["tag"][other],
    }
    weights, every = bootstrap_weights(count), torch.ones(count, 21, dtype=torch.bool)
    rows = {}
    for name, shown in pictures.items():
        errors = millimetres(judge, shown, batch)
        low, high = interval_95(epe(errors, every, weights))
        rows[name] = {"epe_mm": float(epe(errors, every)), "low": float(low), "high": float(high)}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a synthesis run, or a shipped name")
    parser.add_argument("scenes", type=Path, help="a rendered set with tags")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    model = Model.load(options.run)
    px = model.crop_px
    training = build_windows(open_data("rendered", options.scenes, "training"), "scene", 1.0, px)
    evaluation = build_windows(open_data("rendered", options.scenes, "evaluation"), "scene", 1.0, px, ["tag"])
    judge = train_judge(
        Batches(training, px, 64, COLOURS_ONLY, seed=options.seed), options.epochs, options.seed
    )
    frame = model.experiment.data.frame
    every = Batches(evaluation, px, len(evaluation), frame=frame, shuffle=False)
    batch = every.batch(0, 0, {"rgb", "tag", "pose", "bone_mm"})
    print(json.dumps(measure(model, judge, batch, options.seed), indent=2))


if __name__ == "__main__":
    main()
