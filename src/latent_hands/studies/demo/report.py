"""The contents of the demo's report: what was trained, the numbers, and what each image shows."""

from pathlib import Path

from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.studies.demo.images import DemoImages, Models
from latent_hands.studies.demo.page import Figure, Page, Section, Table, graph_svg
from latent_hands.studies.demo.stages import Results

WHOSE = {"yours": "trained here", "shipped": "shipped model"}
SCORES = {
    "epe_mm": ("3DPose: mean joint error (EPE)", "mm", 1),
    "auc_20_50": ("3DPose: AUC, 20 to 50 mm", "", 3),
    "pa_epe_mm": ("3DPose: EPE after alignment (shape only)", "mm", 1),
    "cpose_epe_mm": ("CPose: mean joint error", "mm", 1),
    "viewpoint_deg": ("viewpoint: mean angle", "deg", 1),
}
"""{key of a score: (name, unit, number of decimals)}."""


def write_report(images: DemoImages, results: Results, seconds: float) -> Path:
    """Write report.html and return its path. `results` has the results of the stages by name."""
    rendering = results["rendering"]
    best = min(results["rendered"], key=lambda who: results["rendered"][who]["epe_mm"])
    scores = results["rendered"][best]
    page = Page(
        title="Latent Hands: a demo",
        lead="A variational autoencoder separates the causes of an image of a hand: the pose, the viewpoint, "
        "and everything else. It estimates 3D hands from images. It also synthesises images of a chosen pose "
        "in a chosen scene.",
        cards={
            f"mean joint error on test hands, {WHOSE[best]}": f"{scores['epe_mm']:.1f} mm",
            "the same error if every prediction is the mean pose": f"{scores['mean_pose']['epe_mm']:.1f} mm",
            "rendered training hands, no download": f"{rendering['count']:,}",
            "time for everything on this page": f"{seconds / 60:.1f} min",
        },
        sections=[
            _hands(images, rendering),
            _model(images),
            _learning(images),
            _numbers(results),
            _estimates(images),
            _transfers(images),
            _walks(images),
            _next_steps(images),
        ],
        foot="Yang & Yao, Disentangling Latent Hands for Image Synthesis and Pose Estimation, CVPR 2019.",
    )
    path = images.out / "report.html"
    write_text(path, page.html())
    return path


def _hands(images: DemoImages, rendering: Results) -> Section:
    return Section(
        "The hands",
        [
            f"All images were rendered on this machine: {rendering['count']:,} for training and "
            f"{rendering['evaluation_count']:,} for testing. The test images have other people and other "
            "places. Each image has exact labels: 21 joints in millimetres, the camera, the visibility of "
            "each joint, and a tag image, which is another image of the same scene.",
        ],
        [Figure(images.path("hands.png"), "Test hands with their labelled joints.")],
    )


def _model(images: DemoImages) -> Section:
    drawings = [_graph(run, models["yours"]) for run, models in images.models.items()]
    return Section(
        "The model",
        [
            "Encoders (red) infer latent factors, a few numbers each, from observed data. Decoders (grey) "
            "generate data from the factors. Two graphs are trained. The factors for estimation are the "
            "canonical pose (CPose), which is the hand in a fixed view, and the viewpoint. The factors for "
            "synthesis are the pose and the content: skin, light and background.",
            "The training has two phases. The first phase disentangles the factors: each is trained with its "
            "own labels. The second phase embeds images: an encoder learns to infer the same factors from "
            "pixels, and the decoders do not change.",
        ],
        svg="".join(drawings),
    )


def _graph(title: str, model: Model) -> str:
    graph = model.experiment
    read = {arrow.reads: arrow.factors for arrow in graph.encoders.values()}
    return graph_svg(title, read, {arrow.writes: arrow.factors for arrow in graph.decoders.values()})


def _learning(images: DemoImages) -> Section:
    return Section(
        "The training",
        [
            "Left: the error of decoded joints or images in each phase (joints for a bone of 40 mm). Right: "
            "the information in each factor. A factor at zero contains nothing.",
        ],
        [
            Figure(images.path("curves_estimation.png"), "Training of estimation."),
            Figure(images.path("curves_synthesis.png"), "Training of synthesis."),
        ],
    )


def _numbers(results: Results) -> Section:
    text = [
        "All errors are on test hands. As in the paper, the handedness and the length of one bone are given. "
        "The camera is given too. Everything else is estimated from the image. The mean pose is a prediction "
        "that ignores the image. In brackets: 95 % bootstrap intervals.",
    ]
    if "shipped" in results["rendered"]:
        text.append(
            "The model trained here had few hands and about a minute. The shipped model is the same model "
            "with more hands and more time."
        )
    return Section("The numbers", text, table=_table(results))


def _table(results: Results) -> Table:
    names = {"rendered": "rendered", "rhd": "RHD"}
    scores = {(data, who): each for data in names for who, each in results.get(data, {}).items()}
    headings = ["", *(f"{names[data]}: {WHOSE[who]}" for data, who in scores)]
    headings += [f"{names[data]}: mean pose" for data in names if data in results]
    rows = []
    for key, (name, unit, digits) in SCORES.items():
        cells = [_cell(each, key, digits) for each in scores.values()]
        means = [
            f"{next(iter(results[data].values()))['mean_pose'][key]:.{digits}f}"
            for data in names
            if data in results
        ]
        rows.append([f"{name}{f', {unit}' if unit else ''}", *cells, *means])
    rows.append(["images", *(f"{each['samples']:,}" for each in scores.values())])
    return Table(headings, [[*row, *[""] * (len(headings) - len(row))] for row in rows])


def _cell(scores: Results, key: str, digits: int) -> str:
    low, high = scores[f"{key}_interval"]
    return f"{scores[key]:.{digits}f}  ({low:.{digits}f} to {high:.{digits}f})"


def _each(images: DemoImages, models: Models, kind: str, caption: str, side: bool = False) -> list[Figure]:
    return [
        Figure(images.path(f"{who}_{kind}"), f"{WHOSE[who].capitalize()}. {caption}", side) for who in models
    ]


def _estimates(images: DemoImages) -> Section:
    return Section(
        "Hands in images",
        [
            "Six test hands, evenly spaced in the test set, with their errors. The second column is the "
            "estimate over the image, with one colour per finger. The last columns are the hand in 3D from "
            "the front and from the side: the ground truth is red, the estimate is blue, and far bones are "
            "paler. The model does not predict the position and size of the hand. The overlay is placed by "
            "the given box.",
        ],
        _each(images, images.models["estimation"], "estimates.png", "Estimates."),
    )


def _transfers(images: DemoImages) -> Section:
    text = [
        "The first row has tag images, from which the model infers the scene. All images below are "
        "synthesised: each has the pose of its row and the scene of its column. No such pair was in the "
        "training images. The second column is the 3DPose decoded from the same factor.",
        "The model trained here had two minutes and few hands, so its images are blurred. Its poses come "
        "from labelled joints. A model with more training also estimates the pose from an image.",
    ]
    figures = _each(images, images.models["synthesis"], "transfer.png", "Pose transfer, Fig. 6 of the paper.")
    return Section("Pose transfer into other scenes", text, figures)


def _walks(images: DemoImages) -> Section:
    models = images.models["synthesis"]
    return Section(
        "Walks through the latent space",
        [
            "One factor moves along a straight line from the value of one image to that of another image. "
            "The other factor is constant. If the factors are disentangled, a walk along the pose does not "
            "change the scene, and a walk along the content does not change the pose.",
        ],
        [
            *_each(images, models, "walk_pose.png", "The pose moves."),
            *_each(images, models, "walk_content.png", "The content moves."),
            *_each(images, models, "walk_pose.gif", "The pose moves.", side=True),
            *_each(images, models, "walk_content.gif", "The content moves.", side=True),
        ],
    )


def _next_steps(images: DemoImages) -> Section:
    estimation, synthesis = images.out / "estimation", images.out / "synthesis"
    commands = (
        f"estimate {estimation} hand.jpg --handedness left --box 40,25,128,128",
        f"transfer {synthesis} --poses a.png b.png --contents c.png d.png",
        "render hands --count 20000",
        "train estimation --data.root hands --out runs/estimation",
        f"evaluate {estimation} --data rhd --root RHD_published_v2",
    )
    code = "\n".join(f"latent-hands {command}" for command in commands)
    return Section("Next steps", ["Use your own images, and train with more hands:"], code=code)
