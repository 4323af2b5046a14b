# %% [markdown]
# # Render hands and export them
#
# Rendered hands have exact labels and no licence restrictions.
# This script renders four of them, looks at the labels, and writes them as a COCO data set.
# It needs the extra `render`: `pip install '.[render]'` in a clone of the repository.

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import latent_hands as lh

out = Path(tempfile.mkdtemp(prefix="tutorial_render_"))

# %% [markdown]
# ## Render
#
# The same settings give the same bytes. Four images share a scene: the person, the light and the
# background. `evaluation_count` images come from other scenes.

# %%
folder = lh.render(out / "hands", count=4, size_px=96, evaluation_count=1, seed=3, workers=1)
samples = lh.open_data("rendered", folder)

# %% [markdown]
# ## Look at the labels
#
# A `Sample` is an image and what is known of its hand. Joints are in millimetres in the frame of the
# camera: x right, y down, z forward.

# %%
sample = samples[0]
assert sample.xyz_mm is not None
assert sample.K is not None
print(sample.handedness, "hand; wrist at", sample.xyz_mm[0].round(1), "mm")

projected = sample.xyz_mm @ sample.K.T  # (u, v, 1) = K xyz / z
uv_px = projected[:, :2] / projected[:, 2:]

figure, axes = plt.subplots(1, 4, figsize=(8, 2.2))
for axis, each in zip(axes, samples, strict=True):
    assert each.uv_px is not None
    axis.imshow(Image.open(each.image))
    axis.scatter(*each.uv_px.T, s=6, color="cyan")
    axis.set_title(f"{each.name}, {each.handedness}", fontsize=8)
    axis.axis("off")
figure.savefig(out / "labels.png", dpi=80)
plt.close(figure)

# %% [markdown]
# ![Four rendered hands of one scene, with their joints](../pictures/tutorial_render.png)
#
# ## Check them
#
# `check` finds wrong units, joint orders, handedness and cameras. Run it on every new data set.

# %%
report = lh.check(samples)
print(report.problems or "no problems")

# %% [markdown]
# ## Export to COCO
#
# Other layouts are "rhd" and "freihand". On the command line:
# `latent-hands export OUT --data rendered --root HANDS --layout coco`.

# %%
lh.export_data("rendered", folder, out / "coco", layout="coco")
files = sorted(path.relative_to(out).as_posix() for path in (out / "coco").rglob("*.json"))
print(files)
again = lh.open_data("coco", out / "coco")
assert len(again) == len(samples)
assert again[0].xyz_mm is not None
print("largest change of a joint:", abs(again[0].xyz_mm - sample.xyz_mm).max(), "mm")
record = json.loads((out / "coco" / "export.json").read_text())
print(record["convention"], record["names"]["training"])
print("see", out)

# %% [markdown]
# ## Next
#
# * [What the renderer can vary](../rendering.md)
# * [What each layout keeps and loses](../export.md)
