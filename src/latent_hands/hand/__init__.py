"""The hand as geometry: joints and bones, the canonical frame, the camera."""
