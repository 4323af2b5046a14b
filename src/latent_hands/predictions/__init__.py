"""Files of predicted hands: JSON, JSON Lines, CSV, NPZ and COCO keypoints, and drawings.

All files are written under a temporary name and then renamed, so none is ever incomplete.
"""

from latent_hands.predictions.coco_files import write_coco
from latent_hands.predictions.csv_file import write_csv
from latent_hands.predictions.drawings import draw_hands, draw_readable
from latent_hands.predictions.files import read_hands, read_images, write_hands
from latent_hands.predictions.image_hands import ImageHands, count_hands, name_files
from latent_hands.predictions.json_files import LineWriter, frame_line, hands_json, read_json, write_json
from latent_hands.predictions.npz_file import read_npz, write_npz

__all__ = [
    "ImageHands",
    "LineWriter",
    "count_hands",
    "draw_hands",
    "draw_readable",
    "frame_line",
    "hands_json",
    "name_files",
    "read_hands",
    "read_images",
    "read_json",
    "read_npz",
    "write_coco",
    "write_csv",
    "write_hands",
    "write_json",
    "write_npz",
]
