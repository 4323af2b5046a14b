"""Rendered data sets: the plan of a set, the images of a scene, and the files on disk."""
