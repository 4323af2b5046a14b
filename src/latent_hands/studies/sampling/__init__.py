"""Latents drawn at random, the images that a model decodes from them, and sets of such images."""
