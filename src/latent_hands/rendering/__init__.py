"""Rendered hands with exact labels: scenes, poses, surfaces, light, images and data sets."""
