"""The article and nothing else: Sec. 3 of Yang & Yao, CVPR 2019.

Reading order: latent, modality, graph, bound, algorithms, supervision, weights. `docs/paper.md` maps each
equation to its line; `docs/derivation.md` derives it.
"""
