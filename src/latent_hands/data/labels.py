"""Labels that cannot be what they are read as are refused before anything is scored on or learns from them.

`latent-hands check` tells all that is wrong with a set; what stands here would give numbers that look right.
"""

from latent_hands.data.units import check_unit
from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError


def check_labels(windows: Windows) -> None:
    """Raise HandsError if the 3D labels are in a wrong unit, or do not say which hands are left ones.

    A unit would cancel: poses are lengths of the middle bone, and so are estimates of them.
    """
    if windows.bone_mm is None:
        return
    check_unit(float(windows.bone_mm.median()))
    if windows.right is None:
        raise HandsError(
            f"none of the {len(windows)} hands says whether it is a left or a right one, and a right hand "
            'taken for a left one is learnt and scored wrongly; legal: "left" or "right" for each (side)'
        )
