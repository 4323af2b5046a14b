"""An experiment: everything that decides a run, as typed TOML."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from latent_hands.data.augmentation import Augmentation
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.networks import Precision
from latent_hands.networks.resnet import Stem
from latent_hands.paper.latent import Noise
from latent_hands.paper.weights import Preset
from latent_hands.typed_toml import Range, override, parse, read, to_table, write

Count = Annotated[int, Range(1, 10_000_000)]
Size = Annotated[int, Range(1, 4096)]
Rate = Annotated[float, Range(1e-8, 10.0)]
Share = Annotated[float, Range(0.0, 0.9)]
Minutes = Annotated[float, Range(0.001, 1e6)]
Weight = Annotated[float, Range(0.0, 1e12)]

Backbone = Literal["resnet18", "efficientnet_lite0"]
AlgorithmName = Literal["algorithm_1", "algorithm_2", "joint", "cross_modal", "alternating", "regression"]
EMBEDDING = ("algorithm_1", "algorithm_2", "joint")

MAX_TOML_BYTES = 1_000_000


@dataclass(frozen=True)
class EncoderArrow:
    """q(z_factors | modality); an image may be read by another `backbone` than that of [networks]."""

    reads: str
    factors: tuple[str, ...]
    backbone: Backbone | None = None


@dataclass(frozen=True)
class DecoderArrow:
    """p(modality | z_factors); an image may lie `over` what another decoder says of the pose."""

    writes: str
    factors: tuple[str, ...]
    over: str | None = None


@dataclass(frozen=True)
class Networks:
    """Sizes of the networks; the defaults are the paper's.

    `backbone` reads images: the paper's ResNet-18, with `width` and `stem`, or EfficientNet-Lite0, which
    begins with features learnt on ImageNet (extra `imagenet`). `decoder_width` is the DCGAN decoder's,
    `hidden` and `layers` are those of the fully connected networks, `painter_blocks` are those of an image
    over a pose. `precision` is that of the convolutions.
    """

    backbone: Backbone = "resnet18"
    width: Size = 64
    stem: Stem = "conv"
    decoder_width: Size = 64
    painter_blocks: Annotated[int, Range(0, 64)] = 2
    hidden: Size = 512
    layers: Annotated[int, Range(1, 64)] = 6
    precision: Precision = "bf16"


@dataclass(frozen=True)
class Data:
    """Which images of hands, and the conventions in which the model sees them.

    `crop` is "box" (around the hand's keypoints) or "scene" (about the palm, the same for every pose),
    `crop_px` its side. `root` is the data set's folder or a packed store of it (`latent-hands prepare`).
    Windows of `window_px` pixels and `margin` times the crop's side are kept in memory or in the store.
    Validation data are the first `validation_limit` of `validation_split`, or the last `validation_share` of
    the training split if that is above 0. `frame`, `side` and `convention`, that of the joints, are explained
    in docs/data.md.
    """

    name: str = "rendered"
    root: str = ""
    split: str = "training"
    limit: Count | None = None
    validation_split: str = "evaluation"
    validation_share: Share = 0.0
    validation_limit: Count = 1000
    crop: Literal["box", "scene"] = "box"
    crop_px: Annotated[int, Range(16, 512)] = 128
    frame: Literal["camera", "ray"] = "camera"
    side: Literal["mirror", "condition"] = "mirror"
    convention: str = "rhd"
    margin: Annotated[float, Range(1.0, 4.0)] = 1.75
    window_px: Annotated[int, Range(16, 1024)] = 192
    workers: Annotated[int, Range(1, 256)] = 2


@dataclass(frozen=True)
class Algorithm:
    """How the graph learns.

    "algorithm_1": `encode` the y_i together and disentangle (Eq. 2), then `embed` each x on its own (Eq. 4,
    Eq. 8). "algorithm_2": so, but the factors in `noise` are z_u, inferred from x; `noise_steps` times an
    update they are replaced by those of an "other" sample, a draw of the "same" sample's, or of the "prior".
    "joint": both steps of Algorithm 1 at every update (Eq. 5). With `finished` the two algorithms only embed
    (and refine), into the latent that [training] start brings.

    Beyond the paper, see `elbo.Bound`: `agree`, {encoder of a label: weight}, draws what is embedded to what
    it infers; `features`, {decoder of an image: weight}, compares images by features learnt on ImageNet as
    well (extra `imagenet`); `refine`, {encoder of an image: weight}, lets its decoder learn on, and what it
    shows of poses in other scenes be read again.

    "cross_modal": `encode` x and learn everything at once (Eq. 1). "alternating": so, one encoder an update.
    "regression": so, without a latent to speak of: beta = 0 and nothing is drawn.

    `preset` gives lambda and beta (presets.py); `lam` (by decoder) and `beta` replace them in all phases,
    those of [phases] in one.
    """

    name: AlgorithmName
    encode: tuple[str, ...]
    embed: tuple[str, ...] = ()
    noise: dict[str, Noise] = field(default_factory=dict)
    noise_steps: Count = 1
    finished: bool = False
    agree: dict[str, Weight] = field(default_factory=dict)
    features: dict[str, Weight] = field(default_factory=dict)
    refine: dict[str, Weight] = field(default_factory=dict)
    preset: Preset = "paper"
    lam: dict[str, Weight] = field(default_factory=dict)
    beta: Weight | None = None


@dataclass(frozen=True)
class Supervision:
    """What is known of the training hands (Sec. 3.3).

    The first share `labelled` of them has all labels. Of the rest, `semi` uses the labels without the
    images where no image is needed, `weak` the images with some labels alone ({decoder: lam}) for the
    embedding. `photos`, a folder of images of hands without any label, taken whole, trains the embedding of
    images that a decoder writes. Epochs count all training hands, so these choices change no number of
    updates.
    """

    labelled: Annotated[float, Range(1e-6, 1.0)] = 1.0
    semi: bool = False
    weak: dict[str, Weight] = field(default_factory=dict)
    photos: str = ""


@dataclass(frozen=True)
class PhasePlan:
    """What differs in one phase; what is absent is that of [training] and [algorithm].

    `minutes` ends the phase early; a cosine schedule then follows the clock.
    """

    epochs: Count | None = None
    minutes: Minutes | None = None
    batch_size: Count | None = None
    learning_rate: Rate | None = None
    lam: dict[str, Weight] = field(default_factory=dict)
    beta: Weight | None = None


@dataclass(frozen=True)
class Training:
    """The one loop's settings; Adam with the paper's learning rate and batch size by default.

    `start` is a run folder or a shipped model whose weights the arrows of the same names begin with, or only
    the arrows `start_with` ("decoders.rgb"); all others begin at random. `warmup` counts updates. `schedule`
    runs over each phase. Checkpoints are written every `checkpoint_minutes`, validation happens every
    `validate_every` updates and at the end of a phase.
    """

    start: str = ""
    start_with: tuple[str, ...] = ()
    epochs: Count = 1
    batch_size: Count = 32
    learning_rate: Rate = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Range(0, 1_000_000)] = 0
    weight_decay: Annotated[float, Range(0.0, 10.0)] = 0.0
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    validate_every: Count = 1000
    checkpoint_minutes: Minutes = 10.0


@dataclass(frozen=True)
class Sampling:
    """How hands are drawn from q(z | image) at test time.

    From one `temperature` times as wide, so that draws spread as far as their mean errs; `tools/calibrate.py`
    finds it.
    """

    temperature: Annotated[float, Range(0.01, 100.0)] = 1.0


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run. Without [augmentation] the crops are the ground-truth ones."""

    latent: dict[str, Size]
    encoders: dict[str, EncoderArrow]
    decoders: dict[str, DecoderArrow]
    algorithm: Algorithm
    networks: Networks = field(default_factory=Networks)
    data: Data = field(default_factory=Data)
    augmentation: Augmentation | None = None
    supervision: Supervision = field(default_factory=Supervision)
    phases: dict[str, PhasePlan] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        """Raises HandsError for settings that contradict each other."""
        check_algorithm(self.algorithm, self.training)
        if self.augmentation and self.augmentation.flip and self.data.side == "mirror":
            raise HandsError(
                f"[augmentation] flip is {self.augmentation.flip}, which makes right hands of left ones; "
                'legal: 0 with [data] side = "mirror", 0 .. 1 with side = "condition"'
            )


def check_algorithm(algorithm: Algorithm, training: Training) -> None:
    """Raise HandsError for choices that the algorithm does not know."""
    name = algorithm.name
    if algorithm.embed and name not in EMBEDDING:
        raise HandsError(f'[algorithm] embed is for {", ".join(EMBEDDING)}; "{name}" has no embedding step')
    if algorithm.agree and not algorithm.embed:
        raise HandsError("[algorithm] agree is for the embedding step; legal: with embed")
    if algorithm.refine and name not in EMBEDDING:
        raise HandsError(f'[algorithm] refine is for {", ".join(EMBEDDING)}; "{name}" finishes no encoder')
    if bool(algorithm.noise) != (name == "algorithm_2"):
        raise HandsError(
            f'[algorithm] noise is {algorithm.noise or "empty"}; legal for "{name}": '
            + ('the factors z_u, such as { u = "other" }' if name == "algorithm_2" else "empty")
        )
    if algorithm.finished and (name not in EMBEDDING[:2] or not training.start):
        raise HandsError(
            f'[algorithm] finished is for "algorithm_1" and "algorithm_2" (here "{name}") with '
            f'[training] start (here "{training.start}"), the run that holds the finished latent'
        )


def load_experiment(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a TOML file or a packaged one by name ("estimation"), with command-line overrides."""
    path = find_experiment(path_or_name)
    if path.stat().st_size > MAX_TOML_BYTES:
        raise HandsError(
            f"{path} has {path.stat().st_size} bytes; an experiment has at most {MAX_TOML_BYTES}"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HandsError(f"{path} is not text: {error}") from error
    return read(Experiment, override(parse(text, str(path)), overrides), str(path))


def find_experiment(path_or_name: str | Path) -> Path:
    """The file itself, or the packaged experiment of that name."""
    path = Path(path_or_name)
    if path.is_file():
        return path
    packaged = Path(str(files("latent_hands"))) / "experiments"
    shipped = {each.stem: each for each in sorted(packaged.glob("*.toml"))}
    if str(path_or_name) in shipped:
        return shipped[str(path_or_name)]
    if path.suffix == ".toml":
        raise HandsError(
            f"no file {path.name} in {path.absolute().parent}; packaged experiments: {', '.join(shipped)}"
        )
    raise HandsError(f'no experiment file "{path_or_name}"; {did_you_mean(str(path_or_name), shipped)}')


def write_experiment(experiment: Experiment) -> str:
    """The resolved experiment as TOML: reads back identically."""
    return write(to_table(experiment))
