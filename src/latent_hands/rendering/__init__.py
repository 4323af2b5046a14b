"""Rendered hands with exact labels: hand model, poses, light, skin, images and data sets."""
