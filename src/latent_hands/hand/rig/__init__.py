"""The hand as a mesh: its bones, its articulation, kinematics and inverse kinematics.

All angles are in degrees; the mesh is in metres, in the hand frame of `hand.rig.model`.
"""
