"""The state of a studio: factors, where they come from, and the hand that shows them."""

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latent_hands.data.formats.json_file import parse_json
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.geometry import nearest_rotation
from latent_hands.paper.latent import Gaussian, Latent, Posterior
from latent_hands.studio.puppet import Puppet

FORMAT = "latent-hands studio 1"
MAX_BYTES = 2**20
"""The largest state that is read. States have about 10 kB."""


@dataclass(frozen=True, eq=False)
class State:
    """The state that a user has made.

    Attributes:
        latent: the factors, a batch of one.
        posterior: q of each factor, from the source that gave it. Sliders mark its spread.
        puppet: the left hand that shows the pose.
        sources: where each factor comes from, in words.
    """

    latent: Latent
    posterior: Posterior
    puppet: Puppet
    sources: dict[str, str]

    def to_json(self, run: str, weights: str | None = None) -> str:
        """Return the state as JSON, with the name of its run and the checksum of its weights, if known."""
        fields: dict[str, Any] = {
            "format": FORMAT,
            "run": run,
            "weights": weights,
            "latent": {name: z[0].tolist() for name, z in self.latent.items()},
            "mean": {name: q.mean[0].tolist() for name, q in self.posterior.items()},
            "log_variance": {name: q.log_var[0].tolist() for name, q in self.posterior.items()},
            "angles_deg": self.puppet.angles_deg.tolist(),
            "rotation": self.puppet.rotation.tolist(),
            "joints_mm": self.puppet.joints_mm.tolist(),
            "sources": self.sources,
        }
        return json.dumps(fields, indent=1)

    @staticmethod
    def from_json(
        text: str | bytes, sizes: dict[str, int], where: str = "the state", weights: str | None = None
    ) -> "State":
        """Read the JSON of `to_json`. `sizes` are the factors of the run, {name: size}.

        Raises HandsError for another format, for more than MAX_BYTES, for factors that are not the run's, and
        for a state of other weights, in whose latent the factors mean something else.
        """
        if len(text) > MAX_BYTES:
            raise HandsError(f"{where} has {len(text):,} bytes; the limit is {MAX_BYTES:,}")
        record = parse_json(text, where)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise HandsError(f'{where} is not a state of the studio: its "format" must be "{FORMAT}"')
        if None not in (weights, stated := record.get("weights")) and stated != weights:
            raise HandsError(f'{where} is a state of the run "{record.get("run")}": load that run first')
        latent, mean, log_var = (
            {name: _numbers(record, where, key, name, size)[None] for name, size in sizes.items()}
            for key in ("latent", "mean", "log_variance")
        )
        angles = _numbers(record, where, "angles_deg", None, 24).double()
        rotation = torch.stack([_row(record, where, i) for i in range(3)])
        if torch.linalg.det(rotation) < 0.5:
            raise HandsError(f"{where}: rotation must be a rotation matrix (3, 3)")
        given = record.get("sources")
        sources = {name: str(given.get(name, "")) if isinstance(given, dict) else "" for name in sizes}
        posterior = {name: Gaussian(mean[name], log_var[name].clamp(-10, 10)) for name in sizes}
        return State(latent, posterior, Puppet(angles, nearest_rotation(rotation)), sources)


def _row(record: dict[str, Any], where: str, index: int) -> Tensor:
    rows = record.get("rotation")
    if not isinstance(rows, list) or len(rows) != 3:
        raise HandsError(f"{where}: rotation must have 3 rows")
    return _vector(rows[index], 3, f"{where}: a row of rotation").double()


def _numbers(record: dict[str, Any], where: str, key: str, name: str | None, size: int) -> Tensor:
    value = record.get(key)
    if name is not None:
        if not isinstance(value, dict) or name not in value:
            raise HandsError(f'{where}: {key} has no factor "{name}"; load the run that wrote the state')
        value = value[name]
    return _vector(value, size, f"{where}: {key}{'' if name is None else f' of {name}'}")


def _vector(value: Any, size: int, what: str) -> Tensor:
    try:
        vector = torch.tensor(value, dtype=torch.float32)
    except BROKEN as error:
        raise HandsError(f"{what} must be {size} numbers") from error
    if vector.shape != (size,) or not vector.isfinite().all() or vector.abs().max() > 1e4:
        raise HandsError(f"{what} must be {size} finite numbers within +-10,000")
    return vector
