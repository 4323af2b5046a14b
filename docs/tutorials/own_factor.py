# %% [markdown]
# # Train a factor of your own
#
# A factor is a named part of the latent. This script adds the factor `skin`: how dark and how red
# the skin of a hand is. It takes three steps: a label, a graph, and a training.
#
# The data set and the networks are tiny, so the script runs in seconds and learns little.
# It needs the extra `render`: `pip install '.[render]'` in a clone of the repository.

# %%
import tempfile
from pathlib import Path

import torch

import latent_hands as lh
from latent_hands.extend import LABELS, Label, Modality

out = Path(tempfile.mkdtemp(prefix="tutorial_factor_"))
folder = lh.render(
    out / "hands",
    count=8,
    size_px=48,
    evaluation_count=1,
    poses_per_scene=2,  # four scenes, and so four persons
    scene_size=(0.85, 1.0),
    workers=1,
    progress=False,
)
samples = lh.open_data("rendered", folder)

# %% [markdown]
# ## 1. A label
#
# A new label is one entry of the table `LABELS`: its shape, its unit, how to read it from a sample,
# and the modality by which networks read and write it. Rendered hands list what they were made from
# in `Sample.factors`. Your own samples can carry anything there.


# %%
def read_skin(sample: lh.Sample) -> torch.Tensor | None:
    """Return melanin and blood of the skin, 0 to 1; None if the sample does not state them."""
    if sample.factors is None:
        return None
    skin = sample.factors["look"]["skin"]
    return torch.tensor([skin["melanin"], skin["blood"]])


LABELS.register(
    "skin",
    Label(
        shape=(2,),
        unit="melanin and blood, 0 to 1",
        read=read_skin,
        modality=Modality("skin", "vector", (2,), sigma=0.1),
    ),
)
print(read_skin(samples[0]))

# %% [markdown]
# ## 2. A graph
#
# Encoders are arrows from a modality to factors, decoders are arrows from factors to a modality.
# `pose` and `skin` have labels, so Algorithm 1 first disentangles them. Then it embeds the image:
# the encoder `rgb` learns to infer both factors.

# %%
(out / "skin.toml").write_text("""\
# Pose and skin as factors of their own.

[latent]
pose = 16
skin = 4

[encoders]
pose = { reads = "pose", factors = ["pose"] }
skin = { reads = "skin", factors = ["skin"] }
rgb  = { reads = "rgb",  factors = ["pose", "skin"] }

[decoders]
rgb  = { writes = "rgb",  factors = ["pose", "skin"] }
pose = { writes = "pose", factors = ["pose"] }
skin = { writes = "skin", factors = ["skin"] }

[algorithm]
name = "algorithm_1"
encode = ["pose", "skin"]
embed = ["rgb"]
preset = "balanced"

[networks]
width = 4
hidden = 32
stem = "unshuffle"

[data]
name = "rendered"
crop = "scene"
crop_px = 32
window_px = 32
margin = 1.0

[phases.disentangle]
epochs = 8

[phases.embed_rgb]
epochs = 8

[training]
batch_size = 4
learning_rate = 1e-3
""")

# %% [markdown]
# ## 3. Train
#
# `experiment` reads the file. Each of its keys can be changed in Python, by section.
# `train` writes a run folder and returns the model.

# %%
experiment = lh.experiment(out / "skin.toml", training={"seed": 1})
model = lh.train(experiment, out / "run", samples=samples)

# %% [markdown]
# ## Use the factor
#
# `latent` infers a factor from an image, and `decode` predicts the label from it. `swap` decodes the first
# image with the skin of the second. `walk` moves along one factor and does not change the others.

# %%
latent = model.latent(samples[0], ["skin"])
print(model.decode(latent)["skin"])  # melanin and blood, estimated from the image

swapped = model.swap(samples[0], samples[-1], ["skin"])
walk = model.walk("skin", start=samples[0], end=samples[-1], steps=4)
assert swapped.image is not None
print(swapped.image.shape, len(walk.images))

# %% [markdown]
# ## Next
#
# * A real training: thousands of rendered hands, 64 px, `width = 32`, and an hour. The experiments
#   that ship are examples, such as `three_factors`: `lh.experiments()` lists them.
# * [Keys of an experiment](../experiments.md)
# * [Results with more factors](../results/factors.md)
# * The command line needs the label, too. Put step 1 into a file such as `skin.py`, and run
#   `latent-hands --import skin.py train skin.toml --data.root hands`.
