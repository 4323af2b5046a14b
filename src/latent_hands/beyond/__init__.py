"""Objectives and decoders that go further than the paper, one file each."""
