"""The public interface, `import latent_hands as lh`: what each function adds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from PIL import Image
from registries import register
from tiny_hands import TINY
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_model

import latent_hands as lh
from latent_hands.data import READERS
from latent_hands.data.sample import listed
from latent_hands.evaluation.scoring import score_run
from latent_hands.predictor import intended_use
from latent_hands.predictor.saved import saved_run


@pytest.mark.usefixtures("as_users_run")
def test_what_is_no_sample_is_named(tmp_path: Path):
    samples = painted_hands(tmp_path, 2)
    for wrong, kind in ((samples[0], "not a Sample"), ("hands", "not a str"), ([1], "has a int")):
        with pytest.raises(lh.HandsError, match=f"samples must be a list of Sample.*{kind}"):
            lh.train("demo_estimation", tmp_path / "run", samples=wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match="samples must be a list of Sample"):
        lh.check(samples[0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match="not a Sample; of a Sample, give"):
        tiny_model(ESTIMATION).find(samples[0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match=r"is in memory only: save it with model\.save"):
        lh.export_model(tiny_model(ESTIMATION), tmp_path)


@pytest.mark.usefixtures("as_users_run")
def test_an_image_in_memory_is_no_sample_and_a_folder_no_list_of_samples():
    with pytest.raises(lh.HandsError, match=r'"image" of sample a is a ndarray; it must be a file'):
        lh.Sample("a", noise_image())  # pyright: ignore[reportArgumentType]
    with pytest.raises(lh.HandsError, match="samples must be a list of Sample, not a str"):
        lh.fine_tune("estimation", "mine", "runs/tuned")  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("as_users_run")
def test_what_is_no_hand_and_no_crop_is_named():
    model = tiny_model(ESTIMATION)
    hand, px = model.estimate(lh.HandCrop.open(noise_image())), model.crop_px
    for function in (lh.hand_mesh, lh.joint_angles):
        with pytest.raises(lh.HandsError, match=r"a list is no hand: give one hand, such as hands\[0\]"):
            function([hand])  # pyright: ignore[reportArgumentType]
    for crops in ([noise_image()], np.zeros((1, 3, px, px)), torch.zeros(1, 3, 8, 8), torch.zeros(3, px, px)):
        with pytest.raises(lh.HandsError, match=f"crops are .*, but must be a tensor .batch, 3, {px}"):
            model.outputs(crops)  # pyright: ignore[reportArgumentType]


def test_one_hand_is_drawn_like_a_list_of_one():
    image, hand = noise_image(), tiny_model(ESTIMATION).estimate(lh.HandCrop.open(noise_image()))
    assert np.array_equal(lh.draw_hands(image, hand), lh.draw_hands(image, [hand]))


@pytest.mark.parametrize("progress", [True, False])
def test_progress_is_shown_where_it_is_asked_for(tmp_path: Path, capsys, progress: bool):
    lh.check(painted_hands(tmp_path, 2), progress=progress)
    assert ("2/2" in capsys.readouterr().err) is progress


def test_progress_may_be_a_function(tmp_path: Path):
    received: list[tuple[str, float, float | None]] = []
    lh.check(
        painted_hands(tmp_path, 2),
        progress=lambda work, done, count, text="": received.append((work, done, count)),
    )
    assert received == [("samples", 1, 2), ("samples", 2, 2)]


def test_a_saved_model_loads_as_it_was(tmp_path: Path):
    model, image = tiny_model(ESTIMATION), lh.HandCrop.open(noise_image())
    folder = model.save(tmp_path / "model")
    again = lh.load(folder, "cpu")
    assert again.experiment == model.experiment
    assert np.array_equal(again.estimate(image).pose, model.estimate(image).pose)
    with pytest.raises(lh.HandsError, match="model is not empty: choose a new folder"):
        model.save(folder)
    (tmp_path / "empty").mkdir()
    assert tiny_model(SYNTHESIS).save(tmp_path / "empty").exists()


def test_sections_and_options_change_an_experiment_alike():
    options = ["--phases.embed_rgb.epochs=2", "--latent.cpose=8", "--training.start=runs/first"]
    options.append('--training.start_with=["encoders.rgb"]')
    sections = {
        "phases": {"embed_rgb": {"epochs": 2}},
        "latent": {"cpose": 8},
        "training": {"start": "runs/first", "start_with": ("encoders.rgb",)},
    }
    changed = lh.experiment("estimation", **sections)
    assert changed == lh.experiment("estimation", options) != lh.experiment("estimation")
    with pytest.raises(lh.HandsError, match='unknown key "epoch"'):
        lh.experiment("estimation", training={"epoch": 2})


def test_a_file_never_hides_an_experiment_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("estimation").write_text("nonsense")
    assert lh.experiment("estimation").latent
    with pytest.raises(lh.HandsError, match="not valid TOML"):
        lh.experiment(Path("estimation"))


def test_every_experiment_has_a_description():
    assert all(len(text) > 20 and not text.startswith("#") for text in lh.experiments().values())
    assert all(lh.experiment(name).latent for name in lh.experiments())


def test_samples_train_as_they_do_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples = painted_hands(tmp_path, 12)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    options = [
        *TINY,
        "--phases.cross_modal.epochs=1",
        "--phases.cross_modal.batch_size=4",
        "--data.validation_share=0.2",
    ]
    on_disk = lh.experiment("cross_modal", [*options, "--data.name=painted"])
    models = [
        lh.train(on_disk, tmp_path / "disk"),
        lh.train(lh.experiment("cross_modal", options), tmp_path / "memory", samples),
    ]
    first, second = (model.vae.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_validation_samples_need_training_samples(tmp_path: Path):
    with pytest.raises(lh.HandsError, match="validation samples are given without training samples"):
        lh.train("demo_estimation", tmp_path / "run", validation=painted_hands(tmp_path, 2))


def test_samples_are_scored_like_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples, model = painted_hands(tmp_path, 4), tiny_model(ESTIMATION)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    scores = lh.evaluate(model, samples)
    assert scores == score_run(model, samples, "evaluation") == lh.evaluate(model, "painted", tmp_path)
    assert lh.evaluate(model, samples, limit=2)["samples"] == 2
    with pytest.raises(lh.HandsError, match='root is missing: give the folder of the data set "painted"'):
        lh.evaluate(model, "painted")
    with pytest.raises(lh.HandsError, match='unknown data set "Rendered"; did you mean "rendered"'):
        lh.evaluate(model, "Rendered")


def test_samples_are_checked_like_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    samples = painted_hands(tmp_path, 4)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    one, other = lh.check(samples), lh.check("painted", tmp_path, ["training"])
    assert one.counts["samples"] == other.counts["training"]
    assert one.verdicts == other.verdicts
    with pytest.raises(lh.HandsError, match="root is missing"):
        lh.check("painted")
    with pytest.raises(lh.HandsError, match="no samples to examine"):
        lh.check([])


def test_a_sample_is_estimated_by_its_labels(tmp_path: Path):
    model, (sample,) = tiny_model(ESTIMATION), painted_hands(tmp_path, 1, "r")
    hand = model.estimate(sample)
    assert (hand.handedness, hand.bone_mm) == ("right", pytest.approx(40, rel=1e-3))
    with pytest.raises(lh.HandsError, match=r"bone_mm is 30\.0, but a Sample brings its own"):
        model.estimate(sample, bone_mm=30.0)
    with pytest.raises(lh.HandsError, match="handedness is right, but a Sample brings its own"):
        model.estimate(sample, handedness="right")


def test_swaps_and_walks_give_images_and_hands():
    model, a, b = tiny_model(SYNTHESIS), *(noise_image(PX, PX, seed=seed) for seed in (1, 2))
    swapped, walk = model.swap(a, b, ["pose"]), model.walk("pose", a, b, 3)
    assert isinstance(swapped, lh.Synthesis)
    assert isinstance(walk, lh.Walk)
    assert np.abs(walk.images[-1].astype(int) - swapped.image).max() <= 1
    assert np.allclose(walk.hands[-1].pose, swapped.hand.pose, atol=1e-5)
    assert all(hand.handedness == "left" and hand.bone_mm_assumed for hand in walk.hands)
    assert tiny_model(ESTIMATION).swap(a, b, ["viewpoint"]).image is None


def test_sections_of_an_experiment_take_the_values_that_python_has():
    made = lh.experiment(
        "demo_estimation",
        data={"root": Path("hands"), "margin": np.float32(2)},
        training={"epochs": np.int64(3)},
        algorithm={"embed": np.array(["rgb", "pose"])},
    )
    assert (made.data.root, made.data.margin, made.training.epochs) == ("hands", 2.0, 3)
    assert made.algorithm.embed == ("rgb", "pose")
    with pytest.raises(lh.HandsError, match=r"data.root is None, which is not a number"):
        lh.experiment("demo_estimation", data={"root": None})


def test_an_empty_table_of_an_experiment_replaces_a_full_one():
    full = ["--objectives.agreement={pose=1.0}"]
    assert lh.experiment("estimation", full).objectives == {"agreement": {"pose": 1.0}}
    assert lh.experiment("estimation", full, objectives={"agreement": {}}).objectives == {"agreement": {}}


def test_one_split_is_checked_by_its_name(tmp_path, monkeypatch):
    samples = {"training": painted_hands(tmp_path, 3), "evaluation": painted_hands(tmp_path, 2)}
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[split])
    for split, counts in (("evaluation", [2]), (("training", "evaluation"), [3, 2])):
        report = lh.check("painted", tmp_path, split)
        assert [each["samples"] for each in report.counts.values()] == counts


def test_a_limit_below_1_is_refused(tmp_path):
    samples = painted_hands(tmp_path, 3)
    for limit in (0, -1):
        with pytest.raises(lh.HandsError, match=f"limit is {limit}; it must be at least 1"):
            lh.check(samples, limit=limit)
        with pytest.raises(lh.HandsError, match=f"limit is {limit}; it must be at least 1"):
            lh.evaluate(tiny_model(ESTIMATION), samples, limit=limit)


def test_the_current_folder_is_a_run_folder(tmp_path, monkeypatch):
    tiny_model(ESTIMATION).save(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    assert lh.load(".").experiment == lh.load(tmp_path / "run").experiment


def test_a_model_in_memory_stands_for_its_run_as_long_as_it_is_the_same(tmp_path):
    folder = tiny_model(SYNTHESIS).save(tmp_path / "run")
    model = lh.load(folder, "cpu")
    assert (saved_run(model), saved_run("runs/mine")) == (folder, "runs/mine")
    assert saved_run(lh.load("estimation", "cpu")) == "estimation"
    with torch.no_grad():
        next(iter(model.vae.parameters())).add_(1)
    for changed, why in (
        (model, "was changed after it was loaded"),
        (tiny_model(SYNTHESIS), "in memory only"),
    ):
        with pytest.raises(lh.HandsError, match=rf"{why}.*: save it with model.save\(FOLDER\)"):
            lh.fine_tune(changed, [], tmp_path / "tuned")


def test_the_model_that_is_meant_for_finding_hands_is_named_once(caplog):
    model = tiny_model(SYNTHESIS)
    intended_use._announce.cache_clear()
    for _ in range(2):
        model.find(noise_image(), boxes=[(10.0, 6.0, 44.0, 40.0)])
    assert caplog.text.count('less reliably than lh.load("estimation")') == 1


def test_one_factor_is_swapped_by_its_name():
    model, (first, second) = tiny_model(SYNTHESIS), (noise_image(PX, PX, seed=seed) for seed in (0, 1))
    one, listed = (model.swap(first, second, factors).image for factors in ("content", ["content"]))
    assert (one == listed).all()


def test_a_validation_share_that_leaves_no_training_samples_is_refused(tmp_path):
    share = lh.experiment("demo_estimation", TINY, data={"validation_share": 0.5})
    with pytest.raises(lh.HandsError, match="leaves none of 1 samples to train on"):
        lh.train(share, tmp_path / "run", painted_hands(tmp_path, 1))


@pytest.mark.usefixtures("as_users_run")
def test_an_iterator_is_read_like_a_list(tmp_path: Path):
    model, image, box = tiny_model(ESTIMATION), noise_image(), (10, 6, 40, 40)
    sides = [hand.handedness for hand in model.find(image, boxes=[box, box], handedness=["left", "right"])]
    boxes, given = (each for each in (box, box)), (each for each in ("left", "right"))
    hands = model.find(image, boxes=boxes, handedness=given)  # pyright: ignore[reportArgumentType]
    assert [hand.handedness for hand in hands] == sides == ["left", "right"]
    Image.fromarray(image).save(tmp_path / "a.png")
    path = lh.write_hands(tmp_path / "a.npz", {tmp_path / "a.png": iter(hands)})  # pyright: ignore
    assert len(lh.read_hands(path)) == 2
    samples = painted_hands(tmp_path, 2)
    assert listed(iter(samples)) == samples


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, a: m.find(a, boxes=3), "boxes must be a list of boxes .x, y, width, height., not a int"),
        (lambda m, a: m.find(a, boxes=[(0, 0, 9, 9)], handedness=3), "handedness must be one side, or"),
        (lambda m, a: m.find(a, rotations="a"), "rotations is 'a'; it must be a whole number"),
        (lambda m, a: m.find(a, boxes=[(0, 0, 9, 9)], convention=3), 'unknown joint convention "3"'),
        (lambda m, a: m.load_detector(3), "a detector must be a folder or the name of a shipped one"),
        (lambda m, a: m.synthesis_of(3), "a latent must be a mapping of factors, .* not a int"),
        (lambda m, a: m.find(torch.zeros(3, 9, 9, dtype=torch.bfloat16)), r"not bfloat16 \(3, 9, 9\); for"),
        (
            lambda m, a: m.find(torch.zeros(3, 9, 9, dtype=torch.float16)),
            r"image\).round\(\).to\(torch.uint8",
        ),
        (lambda m, a: m.find(torch.zeros(9, 8, 3, dtype=torch.uint8)), r"\(9, 8, 3\); move the .*permute\("),
        (
            lambda m, a: m.find(torch.zeros(3, 9, 9, dtype=torch.uint8).to_sparse()),
            "and dense: can't convert",
        ),
        (lambda m, a: lh.with_angles(3), "hands must be a list of hands, as find returns them, not a int"),
        (lambda m, a: lh.draw_hands(a, 3), "needs an image, and its hands as find returns them"),
        (lambda m, a: lh.write_hands("a.csv", {"a.png": 3}), "must be a list of Hand, not a"),
        (lambda m, a: lh.check("rendered", ".", split=3), "split must be one or more names of splits, not a"),
        (lambda m, a: lh.check("rendered", ".", split=()), "no split is named: give one or more"),
        (lambda m, a: lh.open_data(3, "."), 'unknown data set "3"'),
        (lambda m, a: lh.train("demo_estimation", "runs/a", [], validation=3), "samples must be a list of"),
        (lambda m, a: lh.load("estimation", 3.5), 'device "3.5" cannot be used'),
    ],
)
def test_a_wrong_container_is_named(call, words: str):
    with pytest.raises(lh.HandsError, match=words):
        call(tiny_model(ESTIMATION), noise_image())
