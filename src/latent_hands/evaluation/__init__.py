"""Score predictions by the protocols of the papers."""
