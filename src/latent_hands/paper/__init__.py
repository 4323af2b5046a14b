"""The article and nothing else: the latent, the graph, the bounds, the algorithms (Sec. 3 of the paper)."""
