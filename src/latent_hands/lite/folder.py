"""The folder of an exported model: its description, and its networks in onnxruntime."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.formats.json_file import load_json
from latent_hands.errors import HandsError
from latent_hands.lite.checksums import DESCRIPTION, check_content, check_sealed
from latent_hands.memory import return_freed_memory
from latent_hands.shapes import Float32

FORMAT = 2
"""The version of the description that this version reads."""
Arrays = dict[str, Float32[np.ndarray, "..."]]


class Networks:
    """The networks of an exported model. Each is loaded when it is used for the first time.

    Args:
        folder: the folder that `latent-hands export-model` wrote.
        threads: number of threads that one network uses.
        keep_memory: whether working memory and the detector are kept for the next image.

    Attributes:
        about: the content of model.json.

    Raises HandsError if there is no such folder, if another version wrote it, or if model.json was changed.
    `encode`, `decode` and `detect` raise it for a file that is missing, damaged or of another model.
    """

    def __init__(self, folder: Path, threads: int = 1, keep_memory: bool = True):
        self.folder = folder
        self.threads, self.keep_memory = threads, keep_memory
        self._sessions: dict[str, Any] = {}
        if not (folder / DESCRIPTION).is_file():
            raise HandsError(
                f"no exported model at {folder}: it has no {DESCRIPTION}; "
                f"write one with `latent-hands export-model estimation {folder}`"
            )
        about = load_json(folder / DESCRIPTION)
        found = about.get("format") if isinstance(about, dict) else None
        if found != FORMAT:
            raise HandsError(
                f"{folder / DESCRIPTION} has format {found}; this version reads {FORMAT}: "
                "export the model again"
            )
        self.about: dict[str, Any] = check_sealed(about, folder / DESCRIPTION)

    def encode(self, name: str, observed: np.ndarray, right: np.ndarray) -> dict[str, tuple[Any, Any]]:
        """Return the mean and the log-variance, each (batch, size), of the factors of an encoder.

        `right` (batch,) is 1 for right hands; only models that are given the side use it.
        """
        arrow = self.about["encoders"][name]
        moments = self._run(arrow["file"], {arrow["reads"]: observed} | self._side(arrow, right))
        ends = np.cumsum(list(arrow["factors"].values()))[:-1]
        means, log_vars = (np.split(each, ends, axis=1) for each in moments)
        return dict(zip(arrow["factors"], zip(means, log_vars, strict=True), strict=True))

    def decode(self, name: str, latent: Mapping[str, np.ndarray], right: np.ndarray) -> np.ndarray:
        """Return what a decoder writes for a latent."""
        arrow = self.about["decoders"][name]
        factors = np.concatenate([latent[factor] for factor in arrow["factors"]], axis=1)
        return self._run(arrow["file"], {"latent": factors} | self._side(arrow, right))[0]

    def detect(self, images: Float32[np.ndarray, "batch 3 h w"]) -> list[np.ndarray]:
        """Return the maps of the detector: sides, place and size."""
        file = self.about["detector"]["file"]
        maps = self._run(file, {"image": images})
        if not self.keep_memory:
            del self._sessions[file]
            return_freed_memory()
        return maps

    def _side(self, arrow: Mapping[str, Any], right: np.ndarray) -> Arrays:
        return {"right": right.astype(np.float32)} if arrow["sided"] else {}

    def _run(self, file: str, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if file not in self._sessions:
            self._sessions[file] = self._session(file)
        given = {name: np.ascontiguousarray(each, np.float32) for name, each in inputs.items()}
        return self._sessions[file].run(None, given)

    def _session(self, file: str) -> Any:
        onnxruntime = import_onnxruntime()
        path = self.folder / Path(file).name
        if not path.is_file():
            raise HandsError(f"{self.folder} is incomplete: it has no {path.name}; export the model again")
        check_content(path, path.read_bytes(), self.about)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = self.keep_memory
        options.enable_mem_pattern = False  # a pattern keeps a second block of memory for every shape
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no class of their own
            raise HandsError(f"{path} is not a network that onnxruntime reads: {error}") from error
        return_freed_memory()
        return session


def import_onnxruntime() -> Any:
    """Return onnxruntime. Raises HandsError if it is not installed."""
    try:
        return import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise HandsError("exported models need onnxruntime: pip install 'latent-hands[lite]'") from error
