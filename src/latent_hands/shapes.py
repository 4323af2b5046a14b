"""Types of arrays with shapes: those of jaxtyping if it is loaded, and plain arrays otherwise.

Only tests read shapes, and they load jaxtyping first. It takes 13 MB and a tenth of a second, which models
without torch need not spend.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64, UInt8, UInt16
else:

    class _Plain:
        def __class_getitem__(cls, array_and_shape: tuple[Any, str]) -> Any:
            return array_and_shape[0]

    Bool = Float = Float32 = Float64 = Int = Int32 = Int64 = UInt8 = UInt16 = _Plain

__all__ = ["Bool", "Float", "Float32", "Float64", "Int", "Int32", "Int64", "UInt8", "UInt16"]
