"""File formats of data sets. The files may come from strangers: reading them never executes anything."""
