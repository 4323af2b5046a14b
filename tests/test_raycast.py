"""Ray casting: depths agree with closed forms, both methods agree, and shadows are exact."""

import subprocess
import sys

import numpy as np
import pytest

from latent_hands.errors import HandsError

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.rendering.rays.raster import rasterise
from latent_hands.rendering.rays.raycast import RayMesh

K = np.array([[150.0, 0, 31.5], [0, 140, 30], [0, 0, 1]], np.float32)
SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def pixels():
    v, u = np.mgrid[:64, :64]
    return np.stack([u.ravel(), v.ravel()], 1).astype(np.float32)


def square(depth_m, half_m=1.0):
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * half_m
    return corners + np.array([0, 0, depth_m], np.float32)


def sphere(radius, rings=96):
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, 2 * rings), indexing="ij"
    )
    points = [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]
    points = radius * np.stack(points, -1).reshape(-1, 3)
    corner = np.arange(points.shape[0]).reshape(rings, -1)
    a, b, c, d = corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return faces.astype(np.int32), points.astype(np.float32)


def test_depth_of_a_tilted_plane_is_exact():
    normal = np.array([0.3, -0.2, 1.0])
    points = square(0.0, 4.0)
    points[:, 2] = 1.5 - points[:, 0] * normal[0] - points[:, 1] * normal[1]
    hits = RayMesh(SQUARE, points).first_hit(pixels(), K)
    slope = (pixels() - K[:2, 2]) / K[[0, 1], [0, 1]]
    expected = 1.5 / (1 + slope @ normal[:2])
    np.testing.assert_allclose(hits.depth_m, expected, rtol=2e-6)
    np.testing.assert_allclose(hits.weight.sum(1), 1, atol=1e-6)


def test_depth_of_a_sphere_is_the_nearer_root():
    faces, points = sphere(0.2)
    hits = RayMesh(faces, points + np.array([0.02, 0.01, 0.8], np.float32)).first_hit(pixels(), K)
    ray = np.concatenate([(pixels() - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((64 * 64, 1))], 1)
    centre = np.array([0.02, 0.01, 0.8])
    a, half_b, c = (ray**2).sum(1), ray @ centre, centre @ centre - 0.2**2
    root = half_b**2 - a * c
    clear = np.abs(root) > 3e-3
    assert ((hits.face >= 0) == (root > 0))[clear].all()
    inside = clear & (root > 0)
    expected = (half_b - np.sqrt(np.maximum(root, 0))) / a
    np.testing.assert_allclose(hits.depth_m[inside], expected[inside], atol=5e-4)
    assert (hits.depth_m[hits.face < 0] == 0).all()


def test_a_moved_mesh_is_the_same_as_a_new_one():
    faces, points = sphere(0.1, 24)
    turned = points @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0].astype(np.float32)
    turned += np.array([0, 0, 0.6], np.float32)
    moved = RayMesh(faces, points)
    moved.move(turned)
    first, second = moved.first_hit(pixels(), K), RayMesh(faces, turned).first_hit(pixels(), K)
    assert (first.face >= 0).any()
    np.testing.assert_array_equal(first.depth_m, second.depth_m)


def behind_the_lens():
    """A strip of squares that passes the camera on its right side, from behind to before it."""
    corners = np.array([[0.307, -0.213, z] for z in np.linspace(-1, 2, 7)], np.float32)
    points = np.concatenate([corners, corners + np.array([0, 0.37, 0], np.float32)])
    a = np.arange(6)
    faces = np.concatenate([np.stack([a, a + 1, a + 8], 1), np.stack([a, a + 8, a + 7], 1)])
    return faces.astype(np.int32), points


@pytest.mark.parametrize("surface", ["sphere", "strip", "square behind"])
def test_rasterising_and_casting_agree(surface):
    faces, points = {
        "sphere": (sphere(0.2, 48)[0], sphere(0.2, 48)[1] + np.array([0.05, -0.02, 0.7], np.float32)),
        "strip": behind_the_lens(),
        "square behind": (SQUARE, square(-0.5)),
    }[surface]
    mesh = RayMesh(faces, points)
    drawn, cast = rasterise(mesh, K, 64), mesh.first_hit(pixels(), K)
    same = drawn.face == cast.face
    assert same.mean() > 0.998  # on an edge both triangles are right
    assert (drawn.face >= 0).any() == (surface != "square behind")
    np.testing.assert_allclose(drawn.depth_m, cast.depth_m, atol=1e-5)
    np.testing.assert_allclose(drawn.weight[same], cast.weight[same], atol=1e-3)


def test_a_blocker_takes_exactly_the_light_behind_it():
    ground, roof = square(0.0), square(0.1, 0.2)
    mesh = RayMesh(np.concatenate([SQUARE, SQUARE + 4]), np.concatenate([ground, roof]))
    points = np.array([[0, 0, 0], [0.9, 0, 0]], np.float32)
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (2, 1))
    slanted = np.array([0.8, 0, 0.6])
    directions = np.array([[0, 0, 1], slanted, [0, 0, -1]], np.float32)
    power = np.array([[1, 2, 3], [1, 1, 1], [9, 9, 9]], np.float32)
    light, blocked = mesh.irradiance(points, normals, directions, power)
    np.testing.assert_allclose(light, [[0, 0, 0], [1.6, 2.6, 3.6]], atol=1e-6)
    np.testing.assert_allclose(light + blocked, [[1.6, 2.6, 3.6]] * 2, atol=1e-6)


def test_without_warp_the_error_names_the_extra_to_install():
    code = (
        "import sys; sys.modules['warp'] = None\n"
        "from latent_hands.errors import HandsError\n"
        "try:\n    import latent_hands.rendering.rays.raycast\n"
        "except HandsError as error:\n    print(error)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'latent-hands[render]'" in output
    assert issubclass(HandsError, ValueError)
