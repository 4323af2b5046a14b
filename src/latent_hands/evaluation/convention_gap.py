"""The error that an unknown joint convention can cause, estimated by the differences between known ones."""

from latent_hands.evaluation.camera_space import joint_scores
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.geometry import normalise, to_wrist
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST
from latent_hands.hand.translation import in_convention, random_points

HANDS = 100
BONE_MM = 36.0
ALIGNED = ("root_relative_mpjpe_mm", "scale_translation_mpjpe_mm", "pa_mpjpe_mm")


def convention_gap(convention: str, bone_given: bool) -> dict[str, tuple[float, float]]:
    """Return the (least, largest) error of exact hands of one convention, scored in each other known one.

    They are the mean errors of `ALIGNED` in mm, on random hands of the hand model.

    Args:
        convention: where the exact hands have their joints.
        bone_given: whether the middle MCP-PIP bone is made equal, to `BONE_MM`, before the scores. Otherwise
            the hands have the same size, and their bones differ as the conventions do.

    Raises HandsError for an unknown convention.
    """
    points = random_points(HANDS, seed=1)

    def joints(name: str):
        joints_mm = in_convention(points, name)
        return to_wrist(BONE_MM * normalise(joints_mm)[0] if bone_given else joints_mm).numpy()

    CONVENTIONS.find(convention)
    own = joints(convention)
    others = [joints(name) for name in CONVENTIONS if name != convention]
    scores = [joint_scores(own, other, (WRIST, MIDDLE_MCP)) for other in others]
    return {key: (min(each[key] for each in scores), max(each[key] for each in scores)) for key in ALIGNED}
