"""The page of the studio: a thin layer of viser over the plain objects of `latent_hands.studio`."""
