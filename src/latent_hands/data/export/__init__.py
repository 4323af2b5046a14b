"""Writing data sets in published layouts, so that other programs can read them: one file a layout."""

from latent_hands.data.export.exporting import LAYOUTS, Exported, export_data
from latent_hands.data.export.layout import Layout, Record

__all__ = ["LAYOUTS", "Exported", "Layout", "Record", "export_data"]
