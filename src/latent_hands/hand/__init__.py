"""The hand as geometry: joints and bones, poses and frames, camera and crops, joint conventions.

`hand.rig` holds the mesh of a hand and its kinematics.
"""
