# %% [markdown]
# # Estimate 3D hands
#
# The shipped model finds a hand in an image and predicts its 21 joints in millimetres.
# Run this script in a clone of the repository: `python docs/tutorials/estimate.py`.
# It takes seconds on one processor core.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import latent_hands as lh

out = Path(tempfile.mkdtemp(prefix="tutorial_estimate_"))

# %% [markdown]
# ## Choose a model
#
# `models()` describes what ships. `load` also opens a run folder of your own, such as "runs/mine".

# %%
for name, purpose in lh.models().items():
    print(f"{name}: {purpose}")
model = lh.load("estimation")

# %% [markdown]
# ## Estimate
#
# `estimate` returns one hand, `find` all hands of an image. Give the side if you know it. You can also
# give the `box`: x, y, width and height in pixels of the smallest rectangle around the joints.
#
# An image does not show how large a hand is. `bone_mm` is the length of the middle finger's bone
# next to the knuckle. Without it, 40 mm is assumed, and all millimetres scale with it.

# %%
photo = "docs/pictures/hand.png"
hand = model.estimate(photo, handedness="left", bone_mm=36.0)
print(hand.xyz_mm.round(1)[:5])  # palm, then the thumb from its tip
print(hand.joint_names[5], "in the image, px:", hand.uv_px[5].round())

# %% [markdown]
# ## More accuracy, and an error bar
#
# `rotations` averages the predictions for rotated crops (test-time augmentation).
# `draws` decodes hands that are drawn from the posterior; `spread_mm` is their standard deviation.

# %%
hand = model.estimate(photo, handedness="left", bone_mm=36.0, rotations=4, draws=16)
assert hand.spread_mm is not None
print(f"mean spread of a joint: {hand.spread_mm.mean():.1f} mm")

# %% [markdown]
# ## Draw and save
#
# `lh.draw_hands` draws hands over their photo, and `lh.write_hands` writes them as JSON, CSV or NPZ.
# For a figure of your own: joints 1 to 20 are five fingers of four joints, each from its tip to its
# base, and joint 0 is the palm. `hand.uv_px` are the joints in the image.

# %%
figure = plt.figure(figsize=(8, 4))
flat = figure.add_subplot(1, 2, 1)
flat.imshow(Image.open(photo))
flat.axis("off")
deep = figure.add_subplot(1, 2, 2, projection="3d")
for finger in range(5):
    joints = [*range(1 + 4 * finger, 5 + 4 * finger), 0]
    flat.plot(*hand.uv_px[joints].T, marker=".")
    x, y, z = hand.xyz_mm[joints].T
    deep.plot(x, z, -y, marker=".")  # z points away from the camera, y down
deep.set_box_aspect((1, 1, 1))
figure.savefig(out / "hand.png", dpi=80)
plt.close(figure)

Image.fromarray(lh.draw_hands(photo, [hand])).save(out / "overlay.png")
lh.write_hands(out / "hand.json", {photo: [hand]})
print("see", out)

# %% [markdown]
# ![The photo with the estimated joints, and the joints in 3D](../pictures/tutorial_estimate.png)
#
# ## Next
#
# * [Find hands in whole images](../whole_images.md): boxes, sides, cameras and confidence.
# * [Inputs and outputs of estimate](../outputs.md): folders, videos and files.
# * [Use your own images and labels](../your_own.md): check and score them.
# * [How accurate is it?](../results/estimation.md)
