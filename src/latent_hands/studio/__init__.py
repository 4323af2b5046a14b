"""The studio: one hand, its factors and its image, changed by hand.

The plain objects of this folder know nothing of browsers. `studio.page` shows them.
"""
