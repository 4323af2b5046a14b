"""Run folders: their format on disk (folder.py), and runs made from runs (average.py, join.py, shrink.py)."""
