"""Rendered hands with exact labels: hand model, poses, light, skin, pictures and data sets."""
