"""Studies of trained models and of data sets: assess, reproduce, demo, ablate and comparisons."""
