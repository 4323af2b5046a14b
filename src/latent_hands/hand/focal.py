"""Limits of focal lengths, for cameras that are given and for those of labels."""

LEAST_FOCAL, MOST_FOCAL = 1 / 6, 1000.0
"""Limits of the focal length, in longer sides of the image: a field of view of 143 degrees, and a small part
of an image of a telescope. Focal lengths in millimetres are shorter."""
UNUSUAL_RATIO, UNUSUAL_SKEW = 1.25, 0.02
"""Cameras with a larger ratio of fx and fy, and with a larger skew in focal lengths, are rare."""
