"""The words of other tools, and the names that this package has instead: hints of attribute errors."""

from collections.abc import Callable, Mapping
from typing import Any

_PIXELS, _MM = "uv_px (pixels in the image)", "xyz_mm (millimetres, relative to the palm)"
_ORDERED = 'in_order("mediapipe") returns them in the order of MediaPipe'
_FIND = "find (all hands of an image) or estimate (one hand)"
_LOAD = 'lh.load("estimation"), and its methods '
_MESH = "lh.hand_mesh(hand), which has vertices_mm and faces"
_ANGLES = "lh.joint_angles(hand), which has names and degrees; there are no parameters of MANO"


def _same(words: str, name: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), name)


HAND: Mapping[str, str] = {
    **_same("joints keypoints landmarks kpts", f"{_PIXELS} or {_MM}; {_ORDERED}"),
    **_same("uv xy joints_2d joints2d keypoints_2d hand_landmarks", f"{_PIXELS}; {_ORDERED}"),
    **_same("xyz joints_3d joints3d keypoints_3d world_landmarks hand_world_landmarks", f"{_MM}; {_ORDERED}"),
    **_same("joints_camera cam_joints depth z", "camera_xyz_mm (millimetres in the camera frame)"),
    **_same("bbox box boxes xyxy xywh rect", "box_px: (x, y, width, height) in pixels"),
    **_same("side hand_type is_right chirality label", 'handedness: "left" or "right"'),
    **_same("conf prob probability", "confidence, or score (of the detector)"),
    **_same("wrist", "wrist_mm (millimetres, relative to the palm); joint 0 of the arrays is the palm"),
    **_same("root translation cam_t", "palm_mm (the palm in the camera frame, in millimetres)"),
    **_same("global_orient orientation rotation", "viewpoint: (3, 3), for points in rows"),
    **_same("cam camera_matrix intrinsics", "K: (3, 3)"),
    **_same("names keypoint_names", "joint_names"),
    **_same("vertices verts mesh faces", _MESH),
    **_same("angles joint_angles theta hand_pose mano mano_pose betas", _ANGLES),
    **_same("id track_id", "track"),
    **_same("time timestamp", "seconds"),
    **_same("draw plot show", "lh.draw_hands(photo, hands)"),
    **_same("save to_dict json", "to_json(), or lh.write_hands(file, {photo: hands})"),
    **_same("flip mirror", "as_left(), which mirrors a right hand"),
}
"""Words for the attributes of `Hand` -> what to use."""
MODEL: Mapping[str, str] = {
    **_same("predict detect process inference infer_image", _FIND),
    **_same("forward", f"outputs or infer (a batch of crops), or {_FIND}"),
    **_same("encode", "infer (a batch of crops) or latent (one image)"),
    **_same("reconstruct", 'synthesis_of(model.latent(crop, ["pose", "content"]))'),
    **_same("generate sample", "synthesise (a given pose and scene), or lh.sample_images(model)"),
    **_same("track", "follow (a video) or tracker (a loop of your own)"),
    **_same("to cuda cpu", 'lh.load(name, device="cuda")'),
    **_same("eval parameters state_dict modules", "model.vae, a torch.nn.Module in evaluation mode"),
    **_same("fit train", "lh.train or lh.fine_tune"),
    **_same("push_to_hub", "the command latent-hands publish"),
}
"""Words for the methods of `Model` -> what to use."""
MODULE: Mapping[str, str] = {
    **_same("Hands HandLandmarker HandDetector Estimator Predictor pipeline", f"{_LOAD}{_FIND}"),
    **_same("predict estimate detect find process", f"{_LOAD}{_FIND}"),
    **_same("follow track video", f"{_LOAD}follow and tracker"),
    **_same("create_model load_model from_pretrained", 'lh.load("estimation")'),
    **_same("list_models", "lh.models()"),
    **_same("synthesise synthesize generate swap transfer walk", 'lh.load("synthesis"), and its methods'),
    **_same("sample", "lh.sample_images(model)"),
    **_same("plot show", "lh.draw_hands(photo, hands)"),
    **_same("save write", "lh.write_hands(file, {photo: hands})"),
    **_same("mesh mano MANO", f"{_MESH}; there is no MANO"),
    **_same("Dataset load_data load_dataset", "lh.open_data(name, root), a list of samples"),
    **_same("KEYPOINTS JOINT_NAMES", "lh.JOINTS"),
}
"""Words for the names of `latent_hands` -> what to use."""


def missing(owner: str, name: str, words: Mapping[str, str]) -> AttributeError:
    """Return the error of an attribute that is called otherwise here.

    >>> str(missing("'Hand' object", "id", {"id": "track"}))
    "'Hand' object has no attribute 'id'; use track"
    """
    # Without `obj`, Python adds no guess of its own to the message.
    return AttributeError(f"{owner} has no attribute {name!r}; use {words[name]}", name=name)


def subscripted(self: object, key: object) -> Any:
    """Refuse keys and joint numbers: the `__getitem__` of `Hand`."""
    raise TypeError("'Hand' object is not subscriptable; write hand.uv_px, or hand.uv_px[8] for one joint")


def hinting(words: Mapping[str, str]) -> Callable[[Any, str], Any]:
    """Return the `__getattr__` of a class: its errors name what to use instead of these words."""

    def get(self: object, name: str) -> Any:
        if name in words:
            raise missing(f"{type(self).__name__!r} object", name, words)
        return object.__getattribute__(self, name)  # the error of Python, also of a property

    return get
