"""Rays and triangles: the first surface behind each pixel, and the light that it sends to the camera."""
