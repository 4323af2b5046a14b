"""An experiment: everything that decides a run, as typed TOML."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from latent_hands.beyond import OBJECTIVES
from latent_hands.configuration.algorithm import Algorithm, Count, Weight, is_finished
from latent_hands.configuration.rules import Confidence, Presence, SideRule
from latent_hands.data.augmentation import Augmentation
from latent_hands.errors import HandsError
from latent_hands.networks import Networks
from latent_hands.networks.spec import Size
from latent_hands.paper.graph import check_names
from latent_hands.typed_toml import Range

Rate = Annotated[float, Range(1e-8, 10.0)]
Share = Annotated[float, Range(0.0, 0.9)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Minutes = Annotated[float, Range(0.001, 1e6)]


@dataclass(frozen=True)
class EncoderArrow:
    """Each key is an encoder, q(z_factors | modality). Its value is a table.

    Attributes:
        reads: the modality that the encoder reads.
        factors: the factors that it infers.
        network: name of the encoder network, in place of [networks] image_encoder for images and "mlp" for
            anything else.
        hidden: units of a hidden layer of this arrow, in place of [networks] hidden.
        px: side to which images are reduced before the network; it divides [data] crop_px.
    """

    reads: str
    factors: tuple[str, ...]
    network: str | None = None
    hidden: Size | None = None
    px: Size | None = None


@dataclass(frozen=True)
class DecoderArrow:
    """Each key is a decoder, p(modality | z_factors). Its value is a table.

    Attributes:
        writes: the modality that the decoder writes.
        factors: the factors that it reads.
        over: decoder of the pose that an image is painted over (beyond the paper).
        network: name of the decoder network, in place of "painter" for images with `over`, [networks]
            image_decoder for other images, and "mlp" for anything else.
        hidden: units of a hidden layer of this arrow, in place of [networks] hidden.
        width: channels of the last feature map of this arrow, in place of [networks] decoder_width.
        px: side of the network's images, which are enlarged to [data] crop_px; it divides crop_px.
    """

    writes: str
    factors: tuple[str, ...]
    over: str | None = None
    network: str | None = None
    hidden: Size | None = None
    width: Size | None = None
    px: Size | None = None


@dataclass(frozen=True)
class Data:
    """The section [data]: the images of hands, and the conventions in which the model is given them.

    Attributes:
        name: name of the data set.
        root: its folder, or a packed store of it (`latent-hands prepare`).
        split: split that is learnt from.
        limit: number of hands to use, from the first; all by default.
        validation_split: split for validation, unless `validation_share` is above 0.
        validation_share: last share of the training split, used for validation.
        validation_limit: largest number of validation hands.
        crop: "box" (around the hand's keypoints) or "scene" (about the palm, the same for every pose).
        crop_px: side of the crop that networks read and write.
        frame: frame of the predicted pose, "camera" or "ray" (docs/conventions.md).
        right_hands: "mirror" turns right hands into left ones; "condition" leaves them and gives the networks
            the side.
        handedness: the side of hands whose labels name none, "left" or "right"; empty if all are labelled.
        convention: the joint convention of the labels, and so of the model.
        margin: side of the window that is kept in memory or in a packed store, over the side of the crop.
        window_px: side of that window in pixels.
        workers: threads that read images.
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
    right_hands: Literal["mirror", "condition"] = "mirror"
    handedness: Literal["", "left", "right"] = ""
    convention: str = "rhd"
    margin: Annotated[float, Range(1.0, 4.0)] = 1.75
    window_px: Annotated[int, Range(16, 1024)] = 192
    workers: Annotated[int, Range(1, 256)] = 2


@dataclass(frozen=True)
class Supervision:
    """The section [supervision]: which labels of the training hands are used (Sec. 3.3).

    Epochs count all training hands, so these choices do not change the number of updates.

    Attributes:
        labelled: share of the training hands, from the first, whose labels are all used. Hands that lack a
            label belong to the others. With 0, only `weak` is used.
        semi: use the labels of the other hands without their images, in steps that need no image.
        weak: {decoder: lambda}: use the images of the other hands with these labels, in the embedding. Labels
            that a hand lacks are left out. A decoder of images may be named: it reconstructs the images.
        photos: folder of further images without labels, for the embedding of a graph with a decoder of
            images. They are not cropped.
    """

    labelled: Annotated[float, Range(0.0, 1.0)] = 1.0
    semi: bool = False
    weak: dict[str, Weight] = field(default_factory=dict)
    photos: str = ""


@dataclass(frozen=True)
class PhasePlan:
    """A section [phases.NAME]: what differs in one phase.

    NAME is disentangle or embed_ENCODER (Algorithms 1 and 2), refine_ENCODER (the objective rereading), or
    the name of another algorithm. Absent keys are those of [training] and [algorithm].

    Attributes:
        epochs: passes over the training hands.
        minutes: ends the phase after so many minutes; a cosine schedule then follows the clock.
        batch_size: hands in a batch.
        learning_rate: learning rate of Adam.
        lam: lambda by decoder; 0 leaves the decoder out.
        beta: beta.
    """

    epochs: Count | None = None
    minutes: Minutes | None = None
    batch_size: Count | None = None
    learning_rate: Rate | None = None
    lam: dict[str, Weight] = field(default_factory=dict)
    beta: Weight | None = None


@dataclass(frozen=True)
class Training:
    """The section [training]. The default is Adam with the paper's learning rate and batch size.

    Attributes:
        start: run folder, shipped model, or run on the Hugging Face Hub (hf-hub:owner/name@revision), whose
            weights initialise the arrows of the same names.
        start_with: only these arrows of `start`, such as "decoders.rgb", are used; all others start at
            random. Empty: all arrows.
        frozen: arrows that do not learn, such as "decoders.pose"; they stay bit-identical. With them, a
            factor can be added to a finished latent.
        frozen_batchnorm: BatchNorm keeps the statistics of `start` and normalises by them. Those of small
            batches of other images differ: they made a fine-tuned estimator worse, even on its own images.
        epochs: passes over the training hands, in every phase.
        batch_size: hands in a batch.
        learning_rate: learning rate of Adam.
        schedule: "constant", or "cosine" down to zero in each phase.
        warmup: updates of linear warm-up.
        weight_decay: weight decay of AdamW.
        seed: seed of everything random.
        validate_every: updates between validations; each phase also ends with one.
        checkpoint_minutes: minutes between checkpoints.
    """

    start: str = ""
    start_with: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    frozen_batchnorm: bool = False
    epochs: Count = 1
    batch_size: Count = 32
    learning_rate: Rate = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Range(0, 1_000_000)] = 0
    weight_decay: Annotated[float, Range(0.0, 10.0)] = 0.0
    seed: Seed = 0
    validate_every: Count = 1000
    checkpoint_minutes: Minutes = 10.0


@dataclass(frozen=True)
class Sampling:
    """The section [sampling]: how hands are drawn from q(z | image) at test time.

    Attributes:
        temperature: factor on the standard deviation of the posterior. `latent-hands runs calibrate` finds
            the one at which the spread of draws equals the error of their mean.
    """

    temperature: Annotated[float, Range(0.01, 100.0)] = 1.0


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run. Without [augmentation] the crops are the ground-truth ones.

    Attributes:
        latent: {factor: size}.
        encoders, decoders: arrows by name.
        algorithm: how the graph learns.
        objectives: {name of an objective beyond the paper: {arrow: weight}} (`latent_hands.beyond`).
        networks, data, augmentation, supervision, phases, training, sampling, handedness, presence,
            confidence: the other sections.
    """

    latent: dict[str, Size]
    encoders: dict[str, EncoderArrow]
    decoders: dict[str, DecoderArrow]
    algorithm: Algorithm
    objectives: dict[str, dict[str, Weight]] = field(default_factory=dict)
    networks: Networks = field(default_factory=Networks)
    data: Data = field(default_factory=Data)
    augmentation: Augmentation | None = None
    supervision: Supervision = field(default_factory=Supervision)
    phases: dict[str, PhasePlan] = field(default_factory=dict)
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)
    handedness: SideRule = field(default_factory=SideRule)
    presence: Presence | None = None
    confidence: Confidence | None = None

    def __repr__(self) -> str:
        """Return one line: what is encoded, the factors with their sizes, and what is decoded."""
        factors = ", ".join(f"{factor} {size}" for factor, size in self.latent.items())
        reads = ", ".join(dict.fromkeys(each.reads for each in self.encoders.values()))
        writes = ", ".join(dict.fromkeys(each.writes for each in self.decoders.values()))
        return f"Experiment({reads} -> z = [{factors}] -> {writes})"

    def __post_init__(self) -> None:
        """Raise HandsError for settings that contradict each other."""
        for what, named in (("factor", self.latent), ("encoder", self.encoders), ("decoder", self.decoders)):
            check_names(what, named)
        for name in self.objectives:
            OBJECTIVES.find(name)
        if is_finished(self.algorithm) and not self.training.start:
            raise HandsError(
                "[algorithm] finished needs [training] start, the run that holds the finished latent"
            )
        if self.training.start_with and not self.training.start:
            raise HandsError(
                "[training] start_with has no effect without [training] start, the run whose arrows are used"
            )
        mirrors = self.data.right_hands == "mirror"
        sided = any(each.writes == "side" for each in self.decoders.values())
        if self.augmentation and self.augmentation.flip and mirrors and not sided:
            raise HandsError(
                f"[augmentation] flip is {self.augmentation.flip}, which turns left hands into right "
                'ones; it must be 0 with [data] right_hands = "mirror", unless a decoder writes "side"'
            )
        if sided and not mirrors:
            raise HandsError(
                'a decoder writes "side", the side that a model finds, but with [data] right_hands = '
                f'"{self.data.right_hands}" the model is given it; use "mirror" or remove the decoder'
            )
