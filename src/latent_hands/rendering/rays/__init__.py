"""Rays and triangles: what lies behind every pixel, and the light there."""
