"""The page docs/experiments.md, written from the docstrings of the settings.

python -m latent_hands.configuration.page > docs/experiments.md
"""

import re
from dataclasses import MISSING, fields, is_dataclass
from inspect import getdoc
from typing import Any, get_args, get_origin, get_type_hints

from latent_hands.configuration.algorithm import Algorithm
from latent_hands.configuration.settings import Experiment
from latent_hands.typed_toml import to_table, variants, write_value

HEAD = """# Keys of an experiment

An experiment is a TOML file that decides everything about a run.
`latent-hands train my.toml` trains it; `--section.key value` replaces a value.
Shipped experiments are used by name, such as `estimation`; `latent-hands models` lists them, and
`src/latent_hands/experiments/` contains them.
The experiments `estimation` and `synthesis` are the models of the paper.
The shipped models of these names have more factors and further training: see their model cards.

* A *modality* is something observed, such as an image (`rgb`) or a pose.
  [Modalities](modalities.md) lists what `reads` and `writes` can name.
* An *encoder* infers factors of the latent z from a modality, q(z | modality).
  A *decoder* reconstructs a modality from factors, p(modality | z).
  An *arrow* is an encoder or a decoder.
* lambda (`lam`) is the weight of a decoder's log-likelihood in the training.
  beta is the weight of the KL, the divergence from the prior.
  [paper.md](paper.md#loss-and-weights) explains their units and the presets.

```toml
{example}
```

Each table lists the keys of one section and their defaults.
This page is written by `python -m latent_hands.configuration.page`.
"""
EXAMPLE = """[latent]                        # factors and their sizes: Fig. 3 right
cpose = 32
viewpoint = 32

[encoders]                      # q(z_factors | modality)
cpose     = { reads = "cpose",     factors = ["cpose"] }
viewpoint = { reads = "viewpoint", factors = ["viewpoint"] }
rgb       = { reads = "rgb",       factors = ["cpose", "viewpoint"] }

[decoders]                      # p(modality | z_factors)
cpose     = { writes = "cpose",     factors = ["cpose"] }
viewpoint = { writes = "viewpoint", factors = ["viewpoint"] }
pose      = { writes = "pose",      factors = ["cpose", "viewpoint"] }

[algorithm]
name = "algorithm_1"
encode = ["cpose", "viewpoint"]
embed = ["rgb"]"""


def page() -> str:
    """Return the page as Markdown."""
    hints = get_type_hints(Experiment)
    parts = [HEAD.format(example=EXAMPLE)]
    for field in fields(Experiment):
        parts.append(f"## [{field.name}]\n\n{section(field.name, hints[field.name])}")
    return "\n".join(parts)


def section(name: str, hint: Any) -> str:
    """Return the text of one section."""
    if name == "latent":
        return "Each key is a factor of z, and its value is the factor's size.\n"
    if name == "objectives":
        return (
            "Objectives beyond the paper, each `{ arrow = weight }`:\n\n"
            "| objective | arrow | what it does |\n|---|---|---|\n"
            "| `agreement` | label encoder | pulls the embedded posterior towards the posteriors of label "
            "encoders |\n"
            "| `anatomy` | decoder of the canonical pose | adds a prior over bone proportions and joint "
            "limits |\n"
            "| `rereading` | image encoder | adds the phase `refine_ENCODER`, in which the image decoder "
            "continues to learn, and the encoder reads its images of one pose in another scene again |\n"
            "| `adversarial` | image decoder | a discriminator learns to tell decoded images from true ones, "
            "and the decoder to deceive it, in phases where only decoders learn, such as `refine_ENCODER` |\n"
            "| `features` | image decoder | also compares images by features learned on ImageNet (extra "
            "`imagenet`) |\n"
        )
    if name == "algorithm":
        texts = [f"### {key}\n\n{table(cls)}" for key, cls in variants(Algorithm).items()]
        return "`name` selects the algorithm, which decides the other keys.\n\n" + "\n".join(texts)
    return table(settings_class(hint))


def settings_class(hint: Any) -> type:
    """Return the dataclass of a section, or of each entry of a section with named entries."""
    inner = (hint,) if is_dataclass(hint) else get_args(hint)[1 if get_origin(hint) is dict else 0 :]
    return next(each for each in inner if isinstance(each, type) and is_dataclass(each))


def table(cls: type) -> str:
    """Return a dataclass as its description and a table of its fields."""
    about, described = described_fields(cls)
    rows = [
        f"| `{field.name}` | {default_of(field)} | {described.get(field.name, '')} |"
        for field in fields(cls)
        if field.name != "name" or "name" in described
    ]
    return "\n".join([about, "", "| key | default | meaning |", "|---|---|---|", *rows, ""])


def described_fields(cls: type) -> tuple[str, dict[str, str]]:
    """Return the docstring before "Attributes:", and the description of each attribute, also of bases."""
    described: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        text = getdoc(each) if is_dataclass(each) else None
        for names, meaning in re.findall(
            r"^    ([\w, ]+): (.*?)(?=^    \w|^\w|\Z)",
            (text or "").partition("Attributes:")[2],
            flags=re.M | re.S,
        ):
            described |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    about = " ".join((getdoc(cls) or "").partition("Attributes:")[0].split())
    return re.sub(r"(?<=[.:]) (?=[A-Z])", "\n", about), described


def default_of(field: Any) -> str:
    """Return a field's default as TOML, "none", or "required"."""
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return "none" if value is None else f"`{write_value(to_table(value))}`"


if __name__ == "__main__":
    print(page(), end="")
