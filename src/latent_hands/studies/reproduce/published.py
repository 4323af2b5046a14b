"""What the literature publishes on RHD and STB: 3DPose, side and scale given.

The methods learned from these sets. Lost with the figures: the CPose
errors of Fig. 7 and the curves of Fig. 9.
"""

EPE_MM = {
    "Zimmermann & Brox 2017": {"rhd": 30.42, "stb": 8.68},
    "Spurr et al. 2018": {"rhd": 19.73, "stb": 8.56},
    "dVAE (the paper)": {"rhd": 19.95, "stb": 8.66},
}
"""Method -> set -> mean EPE of the 3DPose."""
AUC_20_50 = {
    "Zimmermann & Brox 2017": {"rhd": 0.675, "stb": 0.948},
    "Spurr et al. 2018": {"rhd": 0.849, "stb": 0.983},
    "Mueller et al. 2018": {"stb": 0.965},
    "Panteleris et al. 2018": {"stb": 0.941},
    "Cai et al. 2018": {"rhd": 0.887, "stb": 0.994},
    "dVAE (the paper)": {"rhd": 0.849, "stb": 0.991},
}
RHD_THRESHOLDS_MM = (21.05, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0)
STB_THRESHOLDS_MM = tuple(50 * i / 19 for i in range(8, 20))
PCK = {
    "rhd": {
        "Zimmermann & Brox 2017": (RHD_THRESHOLDS_MM, (0.440, 0.527, 0.621, 0.696, 0.747, 0.796, 0.823)),
        "Spurr et al. 2018": (RHD_THRESHOLDS_MM, (0.653, 0.738, 0.817, 0.872, 0.906, 0.933, 0.941)),
        "dVAE (the paper)": (RHD_THRESHOLDS_MM, (0.643, 0.731, 0.817, 0.872, 0.906, 0.937, 0.947)),
    },
    "stb": {
        "Spurr et al. 2018": (
            STB_THRESHOLDS_MM,
            (0.948, 0.961, 0.970, 0.977, 0.982, 0.986, 0.989, 0.991, 0.993, 0.994, 0.995, 0.996),
        ),
    },
}
"""Set -> method -> (thresholds in mm, shares within them)."""
UP_TO_PERCENT = {"semi": 3.5, "semi_weak": 7.5}
"""The greatest gains over full supervision that the paper tells of Fig. 9, %."""
