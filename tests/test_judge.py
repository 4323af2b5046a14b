"""Judges: saving and loading, with every backbone, and files that are no judge of the run."""

import pytest
import torch
from tiny_models import PX, SYNTHESIS, tiny_model

from latent_hands.cli.assess import find_judge
from latent_hands.errors import HandsError
from latent_hands.progress import silent
from latent_hands.runs.tensors import write_tensors
from latent_hands.studies.assess import Judge, load_judge, save_judge


def test_a_saved_judge_is_loaded_and_other_files_are_refused(tmp_path):
    judge, path = Judge(32, "mirror"), tmp_path / "judge.safetensors"
    save_judge(judge, path)
    found, expected = load_judge(path, 32, "mirror").state_dict(), judge.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    with pytest.raises(HandsError, match="a judge of 32 px, right hands mirror; this run needs 64 px"):
        load_judge(path, 64, "mirror")
    about = {"judge_px": "32", "judge_side": "mirror"}
    for broken, complaint in (
        ({"mean": torch.zeros(3)}, r"mean is \(torch.Size\(\[3\]\)"),
        ({"deviation": torch.full((19,), torch.nan)}, "deviation is not finite"),
        ({"more": torch.zeros(1)}, "more is"),
    ):
        write_tensors(path, expected | broken, about)
        with pytest.raises(HandsError, match=complaint):
            load_judge(path, 32, "mirror")
    path.write_bytes(b"no tensors")
    with pytest.raises(HandsError, match="not a readable safetensors file"):
        load_judge(path, 32, "mirror")


def test_the_file_of_a_judge_names_its_backbone(tmp_path):
    judge, path = Judge(32, "mirror", "efficientnet_lite0").eval(), tmp_path / "judge.safetensors"
    save_judge(judge, path)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.equal(load_judge(path, 32, "mirror")(image).pose, judge(image).pose)
    with pytest.raises(HandsError, match=r"is a judge with efficientnet_lite0; choose .* resnet18"):
        load_judge(path, 32, "mirror", "resnet18")
    with pytest.raises(HandsError, match=r"crop_px is 48; efficientnet_lite0 needs a multiple of 32"):
        Judge(48, "mirror", "efficientnet_lite0")
    write_tensors(path, judge.state_dict(), {"judge_px": "32", "judge_side": "mirror", "judge_backbone": "x"})
    with pytest.raises(HandsError, match='unknown encoder network "x"'):
        load_judge(path, 32, "mirror")


def test_a_judge_that_cannot_be_written_is_used_and_written_later(tmp_path, monkeypatch):
    """Its training takes minutes, and the assessment must not be lost."""
    judge, path = Judge(PX, "mirror"), tmp_path / "folder/judge.safetensors"
    monkeypatch.setattr("latent_hands.studies.assess.train_judge", lambda *_, **__: judge)
    monkeypatch.setattr("latent_hands.cli.assess.open_scenes", lambda *_: [])
    path.parent.touch()
    model = tiny_model(SYNTHESIS)
    assert find_judge(model, tmp_path, path, None, 1, silent) is judge
    path.parent.unlink()
    assert find_judge(model, tmp_path, path, None, 1, silent) is judge
    assert load_judge(path, PX, "mirror").px == PX
