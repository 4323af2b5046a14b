"""Everything that a package or script of your own needs to extend Latent Hands without editing it.

    from latent_hands import extend

    @extend.DATA_SETS.register("gloves")                # a data set: `Reader`
    def read_gloves(root, split, limit, /, *, on_broken): return [extend.Sample(...), ...]

    extend.LABELS.register("glove", extend.Label((3,), "RGB", read=..., modality=...))     # a modality

    @extend.ENCODERS.register("average")                # a network that reads a modality, or DECODERS
    def build_average(request: extend.Request): return torch.nn.Module()

    @dataclass(frozen=True)
    class Calm:                                         # a further summand of a bound: `Objective`
        encoder: str
        weight: float
        feeds = frozenset({"labelled", "all"})

        def terms(self, evaluation):
            squared = torch.cat([q.mean for q in evaluation.posterior.values()], dim=1).square().sum(dim=1)
            return [extend.Term("calm", extend.average(squared, evaluation.batch), -self.weight)]

        def encoders(self): return ()

        def check(self, vae, bound, batch_size): vae.encoder(self.encoder)

    @extend.objective("calm")                           # [objectives] calm = { rgb = 0.1 }
    def with_calm(recipe, phases, weights):
        for arrow, weight in weights.items():
            phases = extend.add_to_steps(phases, Calm(arrow, weight), lambda step, a=arrow: a in step.phi)
        return phases

A factor needs no code: it is a line in [latent] of a TOML file, and so are its arrows.

An installed package names the module that registers its things as an entry point of the group
"latent_hands.extensions"; all commands then know them. A script is imported by `latent-hands --import FILE`.
`tests/foreign/latent_gloves.py` is a whole package that adds one of each.
"""

from latent_hands.beyond import OBJECTIVES, Recipe, add_to_steps, objective
from latent_hands.data.export.exporting import LAYOUTS
from latent_hands.data.export.layout import Layout
from latent_hands.data.labels import LABELS, Crops, ImageLabel, Label
from latent_hands.data.motion import Motion
from latent_hands.data.readers import READERS as DATA_SETS
from latent_hands.data.readers import Reader
from latent_hands.data.readers.reading import read_each
from latent_hands.data.sample import Sample
from latent_hands.hand.conventions import register_convention
from latent_hands.hand.skeleton import BONES, JOINTS, register_order, reorder
from latent_hands.networks import DECODERS, ENCODERS, Request
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Evaluation, Feed, Objective, Term, average
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Modality, UnitGaussian
from latent_hands.registry import Registry

__all__ = [
    "BONES",
    "DATA_SETS",
    "DECODERS",
    "ENCODERS",
    "JOINTS",
    "LABELS",
    "LAYOUTS",
    "OBJECTIVES",
    "Bound",
    "Crops",
    "DisentangledVAE",
    "Evaluation",
    "Feed",
    "ImageLabel",
    "Label",
    "Layout",
    "Modality",
    "Motion",
    "Objective",
    "Phase",
    "Reader",
    "Recipe",
    "Registry",
    "Request",
    "Sample",
    "Step",
    "Term",
    "UnitGaussian",
    "add_to_steps",
    "average",
    "objective",
    "read_each",
    "register_convention",
    "register_order",
    "reorder",
]
