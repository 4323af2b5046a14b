"""A user's session: the commands that change a state, and undo."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Latent, Posterior, means
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.puppet import FAR, NEAR, Puppet
from latent_hands.studio.state import State

MOST_UNDO = 200
"""States that a session keeps for undo; older ones are forgotten."""
DRAGGED, RANDOM, EDITED = "the dragged hand", "a random scene", " (edited)"
PLACES = ("A", "B")
"""The two places where states are kept, to be swapped and walked between."""


class Session:
    """The state of one user. Every command is one step of undo; the steps of one gesture are one step.

    Args:
        instrument: the run, shared with other sessions.
        seed: the seed of random poses, scenes and draws.
    """

    def __init__(self, instrument: Instrument, seed: int = 0):
        self.instrument = instrument
        self.kept: dict[str, State] = {}
        self._seed = seed
        self._past: deque[State] = deque(maxlen=MOST_UNDO)
        self._future: list[State] = []
        self._gesture: str | None = None
        self.state = self._first()

    @property
    def before(self) -> State:
        """The state before the last command or gesture."""
        return self._past[-1] if self._past else self.state

    @property
    def steps(self) -> tuple[int, int]:
        """How many commands can be undone and redone."""
        return len(self._past), len(self._future)

    @property
    def gesture(self) -> str | None:
        """The gesture that the last command belongs to; None after `settle` and after single commands."""
        return self._gesture

    def drag(self, finger: str, target_mm: Float[Tensor, "3"]) -> None:
        """Move a fingertip towards a point of the camera frame, relative to the palm."""
        self._pose(self.state.puppet.dragged(finger, target_mm), f"drag {finger}")

    def drag_wrist(self, target_mm: Float[Tensor, "3"]) -> None:
        """Turn the hand about its palm until the wrist points to a point of the camera frame."""
        self._pose(self.state.puppet.with_wrist_towards(target_mm), "drag wrist")

    def turn(self, rotation: Float[Tensor, "3 3"], gesture: str | None = None) -> None:
        """Turn the hand by a rotation of the camera frame, X @ rotation."""
        self._pose(self.state.puppet.turned(rotation), gesture)

    def face(self, rotation: Float[Tensor, "3 3"], gesture: str | None = None) -> None:
        """Set the rotation of the hand, as `Puppet.rotation`."""
        self._pose(replace(self.state.puppet, rotation=rotation.double()), gesture)

    def settle(self) -> None:
        """End a gesture: the next command is a step of its own, also if it is of the same kind."""
        self._gesture = None

    def slide(self, factor: str, index: int, value: float) -> None:
        """Set one coordinate of a factor along its principal directions."""
        directions = self.instrument.directions[factor]
        z = directions.moved(self.state.latent[factor], index, value)
        source = self.state.sources[factor].removesuffix(EDITED) + EDITED
        self._factors({factor: z}, {}, {factor: source}, f"slide {factor} {index}")

    def random_pose(self) -> None:
        """Show a random hand from a random viewpoint."""
        self._pose(self.instrument.random_puppet(self._next_seed()), None, "a random hand")

    def random_content(self) -> None:
        """Draw all factors that do not describe the pose at random. Raises HandsError without such."""
        if not self.instrument.others:
            raise HandsError(f'all factors of the run "{self.instrument.name}" follow from the pose')
        self._factors(
            self.instrument.random_contents(1, self._next_seed()),
            self.instrument.unknown(self.instrument.others),
            dict.fromkeys(self.instrument.others, RANDOM),
        )

    def draw(self, factor: str) -> None:
        """Replace a factor by a draw from its posterior q(z | x)."""
        generator = torch.Generator().manual_seed(self._next_seed())
        z = self.state.posterior[factor].draw(generator)
        self._factors({factor: z}, {}, {factor: self.state.sources[factor].removesuffix(EDITED) + EDITED})

    def recentre(self) -> None:
        """Return all factors to the means of their posteriors."""
        self._factors(means(self.state.posterior), {}, self.state.sources)

    def load(self, posterior: Posterior, source: str, pose: Float[Tensor, "21 3"] | None = None) -> None:
        """Take factors from a source, at the means of their posteriors.

        `pose` is the 3DPose of a left hand in "rhd_bones" that the hand shows; by default it is decoded.
        """
        self._factors(means(posterior), posterior, dict.fromkeys(posterior, source), pose=pose)

    def restore(self, state: State) -> None:
        """Show another state, for example one that was saved."""
        self._apply(state)

    def keep(self, place: str) -> None:
        """Keep the state at a place, "A" or "B", to swap factors with it or to walk to it."""
        self.kept[place] = self.state

    def both(self) -> tuple[State, State]:
        """Return the states kept at "A" and "B". Raises HandsError if one is empty."""
        for place in PLACES:
            if place not in self.kept:
                raise HandsError(_empty(place))
        return self.kept["A"], self.kept["B"]

    def swapped(self, factor: str) -> synthesis.Samples:
        """Return four latents: A, B, A with a factor of B, and B with a factor of A."""
        a, b = (state.latent for state in self.both())
        return synthesis.stack([a, b, synthesis.swap(a, b, (factor,)), synthesis.swap(b, a, (factor,))])

    def take(self, factor: str, place: str) -> None:
        """Take a factor from the state kept at a place. Raises HandsError if it is empty."""
        if place not in self.kept:
            raise HandsError(_empty(place))
        other = self.kept[place]
        self._factors(
            {factor: other.latent[factor]},
            {factor: other.posterior[factor]},
            {factor: other.sources[factor]},
        )

    def walk(self, factor: str, steps: int) -> synthesis.Samples:
        """Return latents on the line from A to B along a factor; the others stay those of A."""
        a, b = self.both()
        return synthesis.interpolate(a.latent, b.latent, (factor,), steps)

    def traversal(self, factor: str, index: int, values: Sequence[float]) -> synthesis.Samples:
        """Return latents with one coordinate of a factor set to each value, all others as they are."""
        directions, z = self.instrument.directions[factor], self.state.latent[factor]
        return synthesis.stack(
            [self.state.latent | {factor: directions.moved(z, index, value)} for value in values]
        )

    def draws(self, factor: str, count: int) -> synthesis.Samples:
        """Return draws of a factor from its posterior; the others stay as they are."""
        generator = torch.Generator().manual_seed(self._next_seed())
        drawn = [self.state.posterior[factor].draw(generator) for _ in range(count)]
        return synthesis.stack([self.state.latent | {factor: z} for z in drawn])

    def undo(self) -> bool:
        """Undo the last command. Return False if there is none."""
        if not self._past:
            return False
        self._future.append(self.state)
        self.state = self._past.pop()
        self.settle()
        return True

    def redo(self) -> bool:
        """Repeat the last command that was undone. Return False if there is none."""
        if not self._future:
            return False
        self._past.append(self.state)
        self.state = self._future.pop()
        self.settle()
        return True

    def reset(self) -> None:
        """Show the first state again."""
        self._apply(self._first())

    def _first(self) -> State:
        instrument, puppet = self.instrument, Puppet.relaxed()
        posed = instrument.pose_posterior(puppet.pose[None])
        sources = dict.fromkeys(instrument.posed, "the relaxed hand") | dict.fromkeys(
            instrument.others, RANDOM
        )
        latent = means(posed) | instrument.random_contents(1, self._seed)
        return State(latent, posed | instrument.unknown(instrument.others), puppet, sources)

    def _pose(self, puppet: Puppet, gesture: str | None, source: str = DRAGGED) -> None:
        """Show a hand, and infer the factors of the pose from its joints."""
        _check_finite(puppet.angles_deg, puppet.rotation)
        found = self.instrument.pose_posterior(puppet.pose[None])
        self._apply(
            State(
                self.state.latent | means(found),
                self.state.posterior | found,
                puppet,
                self.state.sources | dict.fromkeys(found, source),
            ),
            gesture,
        )

    def _factors(
        self,
        latent: Latent,
        posterior: Posterior,
        sources: dict[str, str],
        gesture: str | None = None,
        pose: Float[Tensor, "21 3"] | None = None,
    ) -> None:
        """Change some factors, and let the hand follow the decoded pose if it changes."""
        _check_finite(*latent.values())
        whole, puppet = self.state.latent | latent, self.state.puppet
        if pose is not None or set(latent) & set(self.instrument.posed):
            wanted, steps = (self.instrument.poses(whole)[0], NEAR) if pose is None else (pose, FAR)
            puppet = puppet.following(wanted, steps)
        self._apply(
            State(whole, self.state.posterior | posterior, puppet, self.state.sources | sources), gesture
        )

    def _apply(self, state: State, gesture: str | None = None) -> None:
        if gesture is None or gesture != self._gesture:
            self._past.append(self.state)
        self._future.clear()
        self._gesture = gesture
        self.state = state

    def _next_seed(self) -> int:
        self._seed += 1
        return self._seed


def _check_finite(*tensors: Tensor) -> None:
    """Raise HandsError for numbers that no slider and no drag gives, but a faulty message of a page."""
    if not all(tensor.isfinite().all() for tensor in tensors):
        raise HandsError("a message of the page has numbers that are not finite: reload the page")


def _empty(place: str) -> str:
    key = PLACES.index(place) + 1
    return f'place {place} is empty: keep a state there first ("as {place}", or key {key})'
