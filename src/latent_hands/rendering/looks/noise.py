"""Gradient noise in space (Perlin 2002) as kernel functions; a short hash gives the lattice its gradients."""

from typing import no_type_check

from latent_hands.rendering.rays.raycast import wp

wp.set_module_options({"enable_backward": False})

GREY = wp.constant(wp.float32(1.0 / 511.5))


@wp.func
@no_type_check
def _slope(bits: wp.uint32, offset: wp.vec3):
    """Return the rise along an offset from a lattice point; 30 bits hold its gradient, of mean square 1."""
    x = wp.float32(bits & wp.uint32(1023)) * offset[0]
    y = wp.float32((bits >> wp.uint32(10)) & wp.uint32(1023)) * offset[1]
    z = wp.float32((bits >> wp.uint32(20)) & wp.uint32(1023)) * offset[2]
    return (x + y + z) * GREY - (offset[0] + offset[1] + offset[2])


@wp.func
@no_type_check
def _mix(bits: wp.uint32):
    bits = (bits ^ (bits >> wp.uint32(16))) * wp.uint32(0x7FEB352D)
    return bits ^ (bits >> wp.uint32(15))


@wp.func
@no_type_check
def _corner(state: wp.uint32, cell: wp.vec3i, offset: wp.vec3, dx: int, dy: int, dz: int):
    """Return three slopes at one of a cell's eight corners."""
    key = wp.uint32(cell[0] + dx) * wp.uint32(73856093) ^ wp.uint32(cell[1] + dy) * wp.uint32(19349663)
    bits = _mix((key ^ wp.uint32(cell[2] + dz) * wp.uint32(53471161)) + state * wp.uint32(0x1E3779B1))
    from_corner = offset - wp.vec3(float(dx), float(dy), float(dz))
    second = bits * wp.uint32(0x2C1B3C6D)
    third = bits * wp.uint32(0x297A2D39)
    return wp.vec3(
        _slope(bits, from_corner),
        _slope(second ^ (second >> wp.uint32(16)), from_corner),
        _slope(third ^ (third >> wp.uint32(16)), from_corner),
    )


@wp.func
@no_type_check
def noise3(state: wp.uint32, at: wp.vec3):
    """Return three independent noises of mean 0, standard deviation 0.19 and feature size 1."""
    low = wp.vec3(wp.floor(at[0]), wp.floor(at[1]), wp.floor(at[2]))
    cell = wp.vec3i(int(low[0]), int(low[1]), int(low[2]))
    o = at - low
    x = o[0] * o[0] * o[0] * (o[0] * (o[0] * 6.0 - 15.0) + 10.0)
    y = o[1] * o[1] * o[1] * (o[1] * (o[1] * 6.0 - 15.0) + 10.0)
    z = o[2] * o[2] * o[2] * (o[2] * (o[2] * 6.0 - 15.0) + 10.0)
    near = wp.lerp(
        wp.lerp(_corner(state, cell, o, 0, 0, 0), _corner(state, cell, o, 1, 0, 0), x),
        wp.lerp(_corner(state, cell, o, 0, 1, 0), _corner(state, cell, o, 1, 1, 0), x),
        y,
    )
    far = wp.lerp(
        wp.lerp(_corner(state, cell, o, 0, 0, 1), _corner(state, cell, o, 1, 0, 1), x),
        wp.lerp(_corner(state, cell, o, 0, 1, 1), _corner(state, cell, o, 1, 1, 1), x),
        y,
    )
    return wp.lerp(near, far, z)
