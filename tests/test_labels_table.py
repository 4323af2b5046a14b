"""The table of labels: each label moves as its image does, and each modality has a likelihood."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from painted_hands import DOT, find_dots, painted_hands
from torch import Tensor
from torch.distributions import Normal

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment, draw_warps
from latent_hands.data.crops import build_windows
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.labels import LABELS, image_keys, modality
from latent_hands.data.motion import Motion
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP
from latent_hands.paper.modality import Batch

PX = 128
MODALITIES = [name for name, label in LABELS.items() if label.modality]
WARPS = replace(Augmentation.none(), rotation_deg=180.0, scale=(0.8, 1.25), shift=0.1)
CASES = [(frame, right_hands) for frame in ("camera", "ray") for right_hands in ("mirror", "condition")]


@dataclass
class Warped:
    """A batch of the ground-truth crops, a batch of warped crops, and the warps between window and crop."""

    windows: Windows
    plain: Batch
    batch: Batch
    W: Tensor
    frame: str

    @property
    def to_frame(self) -> Tensor:
        """Return the rotations from the camera frame of the crops into the frame of pose and viewpoint."""
        if self.frame == "camera":
            return torch.eye(3).expand(len(self.W), 3, 3)
        return geometry.ray_rotation(self.batch["K"], torch.full((len(self.W), 2), (PX - 1) / 2))

    @property
    def right(self) -> Tensor | None:
        """Return which hands appear as right hands, None if all appear as left hands."""
        return self.batch["right"] if self.windows.right_hands == "condition" else None


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def warped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warped:
    frame, right_hands = request.param
    samples = painted_hands(tmp_path_factory.mktemp("hands"), 12)
    samples = [replace(s, block=f"block {i // 5}", weight=i / 5) for i, s in enumerate(samples)]
    windows = build_windows(samples, right_hands=right_hands)
    dots = {key: ImageStack(windows.rgb[:, : modality(key).channels]) for key in image_keys()}
    windows = replace(windows, images=dots)
    augmentation = replace(WARPS, flip=0.5 if right_hands == "condition" else 0.0)

    def batch(augmentation: Augmentation) -> Batch:
        generator = torch.Generator().manual_seed(0)
        return augment(windows, torch.arange(12), PX, augmentation, generator, frame=frame)

    W = draw_warps(windows, 12, PX, augmentation, torch.Generator().manual_seed(0))
    return Warped(windows, batch(Augmentation.none()), batch(augmentation), W, frame)


def unchanged(key: str, each: Warped) -> None:
    assert torch.equal(each.batch[key], each.plain[key])


def projects(each: Warped) -> None:
    """The projected palm differs from the label: the label is the middle of two joints in the image."""
    uv_px = camera.project(each.batch["xyz_mm"], each.batch["K"])
    torch.testing.assert_close(uv_px[:, 1:], each.batch["uv_px"][:, 1:], rtol=0, atol=1e-2)


def uv_px_moves_with_pixels(each: Warped) -> None:
    assert each.windows.uv_px is not None
    expected = camera.warp_points(each.windows.uv_px, each.W)
    torch.testing.assert_close(each.batch["uv_px"], expected)
    assert (each.batch["uv_px"] - each.plain["uv_px"]).norm(dim=-1).mean() > 5


def points_keep_their_shape(each: Warped) -> None:
    """A warp moves the points rigidly, and changes no distance between them or from the camera."""
    before, after = each.plain["xyz_mm"], each.batch["xyz_mm"]
    torch.testing.assert_close(torch.cdist(after, after), torch.cdist(before, before), rtol=1e-4, atol=0.1)
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1))
    torch.testing.assert_close(after[..., 2], before[..., 2])


def pixels_stay_square(each: Warped) -> None:
    K = each.batch["K"]
    torch.testing.assert_close(K[:, 0, 0], K[:, 1, 1])
    torch.testing.assert_close(K[:, [0, 1], [1, 0]], torch.zeros(len(K), 2), rtol=0, atol=1e-3)


def right_changes_with_flips(each: Warped) -> None:
    flips = each.W[:, :2, :2].det() < 0
    assert flips.any() == (each.windows.right_hands == "condition")
    assert torch.equal(each.batch["right"], each.plain["right"] ^ flips)


def pose_is_the_normalised_hand(each: Warped) -> None:
    pose, _ = geometry.normalise(each.batch["xyz_mm"] @ each.to_frame)
    torch.testing.assert_close(each.batch["pose"], pose, rtol=0, atol=1e-4)


def bone_is_a_length(each: Warped) -> None:
    xyz_mm = each.batch["xyz_mm"]
    bone_mm = (xyz_mm[:, MIDDLE_MCP] - xyz_mm[:, MIDDLE_PIP]).norm(dim=-1)
    torch.testing.assert_close(each.batch["bone_mm"], bone_mm)


def cpose_is_invariant(each: Warped) -> None:
    torch.testing.assert_close(each.batch["cpose"], each.plain["cpose"], rtol=0, atol=1e-4)


def viewpoint_leads_to_the_pose(each: Warped) -> None:
    pose = geometry.compose(each.batch["cpose"], each.batch["viewpoint"], each.right)
    torch.testing.assert_close(pose, each.batch["pose"], rtol=0, atol=1e-4)
    torch.testing.assert_close(each.batch["viewpoint"].det(), torch.ones(12))


def uv_spans_the_crop(each: Warped) -> None:
    """A joint at the corner of the crop, half a pixel beyond the centre of the last pixel, is at (1, 1)."""
    torch.testing.assert_close((each.batch["uv"] + 1) * PX / 2 - 0.5, each.batch["uv_px"])


def place_puts_the_pose_on_its_joints(each: Warped) -> None:
    """The remaining distance is the perspective, and no other size is nearer to the joints."""
    uv, place = each.batch["uv"], each.batch["place"]
    torch.testing.assert_close(place[:, :2], uv[:, 0])

    def distance(size: Tensor) -> Tensor:
        placed = place[:, None, :2] + size[:, None, None] * each.batch["pose"][..., :2]
        return (placed - uv).square().sum(dim=(1, 2))

    size = place[:, 2].exp()
    assert (distance(size) < torch.minimum(distance(0.98 * size), distance(1.02 * size))).all()
    assert (distance(size) < 0.1 * uv.sub(uv[:, :1]).square().sum(dim=(1, 2))).all()


def side_is_known_where_hands_are_mirrored(each: Warped) -> None:
    """A model that is given the side has none to find."""
    assert ("side" in each.batch) == (each.windows.right_hands == "mirror")
    assert (each.batch.get("side", torch.ones(1)) == 1).all()


def image_moves_with_uv_px(key: str, each: Warped) -> None:
    dots = find_dots((each.batch[key] + 1) / 2)
    torch.testing.assert_close(dots, each.batch["uv_px"][:, DOT], rtol=0, atol=0.4)


def presence_is_absent_of_hands_alone(each: Warped) -> None:
    """`test_presence` has windows with squares without a hand."""
    assert "presence" not in each.batch


LAWS: dict[str, tuple[Callable[[Warped], None], ...]] = {
    **{key: (partial(image_moves_with_uv_px, key),) for key in image_keys()},
    **{key: (partial(unchanged, key),) for key in ("visible", "crop_side_px", "block", "weight")},
    "xyz_mm": (projects, points_keep_their_shape),
    "uv_px": (projects, uv_px_moves_with_pixels),
    "K": (projects, pixels_stay_square),
    "right": (right_changes_with_flips,),
    "pose": (pose_is_the_normalised_hand,),
    "bone_mm": (bone_is_a_length,),
    "cpose": (cpose_is_invariant,),
    "viewpoint": (viewpoint_leads_to_the_pose,),
    "uv": (uv_spans_the_crop,),
    "place": (place_puts_the_pose_on_its_joints,),
    "side": (side_is_known_where_hands_are_mirrored,),
    "presence": (presence_is_absent_of_hands_alone,),
}


@pytest.mark.parametrize("key", LABELS)
def test_every_label_moves_as_its_image(warped: Warped, key: str):
    assert key in LAWS, f'the label "{key}" has no law; add one to LAWS'
    for law in LAWS[key]:
        law(warped)


def test_the_ray_frame_looks_at_the_centre_of_the_crop(warped: Warped):
    if warped.frame == "ray":
        centre_px = torch.tensor([(PX - 1) / 2, (PX - 1) / 2, 1.0])
        ray = torch.linalg.solve(warped.batch["K"], centre_px.expand(12, 3))
        along = (ray[:, None] @ warped.to_frame)[:, 0]
        torch.testing.assert_close(along / along.norm(dim=1, keepdim=True), torch.eye(3)[[2] * 12])


def test_projection_commutes_with_random_warps_of_any_hand():
    """The law of the table alone, for all joints, without windows and crops."""
    generator = torch.Generator().manual_seed(3)
    count = 200
    xyz_mm = 40 * torch.randn(count, 21, 3, generator=generator) + torch.tensor([10.0, -20, 600])
    K = torch.tensor([[400.0, 0, 150], [0, 400, 110], [0, 0, 1]]).repeat(count, 1, 1)
    draw = torch.rand(count, 5, generator=generator)
    W = camera.warp_matrix(
        300 * draw[:, :2], 50 + 200 * draw[:, 2], PX, 6.3 * draw[:, 3], flip=draw[:, 4] < 0.5
    )
    values = {"xyz_mm": xyz_mm, "K": K, "uv_px": camera.project(xyz_mm, K)}
    moved = {key: LABELS[key].move(value, Motion(W)) for key, value in values.items()}
    assert 50 < Motion(W).flips.sum() < 150
    torch.testing.assert_close(
        camera.project(moved["xyz_mm"], moved["K"]), moved["uv_px"], rtol=1e-3, atol=1e-2
    )


def test_an_unknown_modality_lists_the_known_ones():
    with pytest.raises(HandsError) as error:
        modality("pos")
    legal = "background_tag, cpose, depth, identity_tag, place, pose, presence, rgb, side, tag, uv, viewpoint"
    assert str(error.value) == f'unknown modality "pos"; did you mean "pose"? Legal: {legal}'


def test_a_label_without_modality_cannot_be_encoded():
    with pytest.raises(HandsError, match='unknown modality "bone_mm"'):
        modality("bone_mm")


@pytest.mark.parametrize("name", [n for n in MODALITIES if n not in ("side", "presence")])
def test_a_likelihood_is_that_of_a_unit_gaussian_without_its_constant(name: str):
    m = modality(name)
    shape = (4, *(size or 8 for size in m.shape))
    truth, prediction = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).unbind(0)
    unit = 127.5 if m.is_image else 1.0
    normal = Normal(unit * prediction, 1.0)
    expected = (normal.log_prob(unit * truth) - normal.log_prob(normal.mean)).flatten(1).sum(1)
    torch.testing.assert_close(m.likelihood(truth, prediction), expected, rtol=1e-4, atol=1e-4)


def test_an_error_of_one_grey_level_in_one_pixel_costs_one_half():
    black = torch.zeros(1, 3, 4, 4)
    grey = black.clone()
    grey[0, 0, 0, 0] = 1 / 127.5
    torch.testing.assert_close(modality("rgb").likelihood(black, grey), torch.tensor([-0.5]))
