"""Whole images: people, objects and any number of hands before one camera."""
