"""The hand's mesh, its bones, and its kinematics."""
