"""The studio shows the images of a data set: each part of a sample gives its factors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from command_line import fails
from studios import instrument, labelled

from latent_hands.data import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.studio.data_set import DataSet, factors_of, labelled_pose, pictures_of
from latent_hands.studio.page.serving import Studio
from latent_hands.studio.session import Session


@pytest.mark.parametrize("part", ["image", "pose", "tag"])
def test_a_mirror_image_gives_the_factors_of_the_hand_itself(tmp_path: Path, part):
    left, right = (labelled(tmp_path, side=side) for side in ("left", "right"))
    found = [factors_of(instrument(), sample, part)[0] for sample in (left, right)]
    assert set(found[0]) == {"image": {"pose", "content"}, "pose": {"pose"}, "tag": {"content"}}[part]
    for name, q in found[0].items():
        torch.testing.assert_close(found[1][name].mean, q.mean, atol=1e-4, rtol=1e-3)


def test_labelled_joints_are_the_pose_that_the_hand_shows(tmp_path: Path):
    sample = labelled(tmp_path)
    session = Session(instrument())
    posterior, pose = factors_of(instrument(), sample, "pose")
    session.load(posterior, "pose of 00007", pose)
    assert session.state.sources["pose"] == "pose of 00007"
    assert session.state.sources["content"] == "a random scene"
    assert sample.xyz_mm is not None
    unturned = labelled_pose(instrument(), replace(sample, K=None))
    torch.testing.assert_close(unturned, geometry.normalise(torch.from_numpy(sample.xyz_mm))[0])
    assert pose is not None
    shown = geometry.normalise(session.state.puppet.joints_mm.float())[0]
    assert (shown - pose).norm(dim=-1).mean() < 0.1  # of a bone of 40 mm: 4 mm


def test_the_parts_that_a_sample_has_are_shown(tmp_path: Path):
    sample = labelled(tmp_path)
    assert list(pictures_of(instrument(), sample)) == ["image", "pose", "tag"]
    bare = Sample("1", sample.image)
    pictures = pictures_of(instrument(), bare)
    assert list(pictures) == ["image"]
    assert pictures["image"].shape == (32, 32, 3)


def test_a_part_that_is_missing_is_named(tmp_path: Path):
    bare = Sample("1", labelled(tmp_path).image)
    with pytest.raises(HandsError, match=r'sample 1 .* has no "xyz_mm" or no "handedness"'):
        factors_of(instrument(), bare, "pose")
    with pytest.raises(HandsError, match="has no tag image"):
        factors_of(instrument(), bare, "tag")
    with pytest.raises(HandsError, match='the run "estimation" has no encoder of tag'):
        factors_of(instrument("estimation"), labelled(tmp_path), "tag")


def test_samples_are_selected_by_number_and_followed_in_a_ring():
    data = DataSet([Sample(f"{i:05d}", Path("a.png")) for i in (2, 5, 7)], "evaluation of hands")
    assert data.find(" 5 ").name == "00005"
    assert [data.beside(data.find("5"), steps).name for steps in (-1, 0, 1, 2)] == [
        "00002",
        "00005",
        "00007",
        "00002",
    ]
    with pytest.raises(HandsError, match='no image "6" in evaluation of hands; select one of its 3 images'):
        data.find("6")
    with pytest.raises(HandsError, match="evaluation of hands has no images"):
        DataSet([], "evaluation of hands")


def test_the_command_asks_for_the_folder_and_refuses_a_missing_one(tmp_path: Path, capsys):
    assert 'where is the data set "rendered"? Give its folder' in fails(
        capsys, "studio", "--data", "rendered"
    )
    assert str(tmp_path) in fails(capsys, "studio", "--data", "rendered", "--root", tmp_path)


@pytest.mark.parametrize(
    ("host", "port", "named"),
    [("127.0.0.1", 65536, "port"), ("a b.invalid", 1, "host"), ("192.0.2.1", 8080, "host")],
)
def test_a_wrong_address_is_refused_before_a_model_is_read(host, port, named):
    with pytest.raises(HandsError, match=f"{named} is "):
        Studio(("no such run",), host, port)
