"""The demo's report: what was learned, what each image shows, what the numbers mean."""

from pathlib import Path

from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.studies.demo.images import Models, Studio
from latent_hands.studies.demo.report import Figure, Page, Section, Table, graph_svg
from latent_hands.studies.demo.stages import Found

WHOSE = {"yours": "trained here", "shipped": "shipped model"}
SCORES = {
    "epe_mm": ("3DPose: mean joint error", "mm", 1),
    "auc_20_50": ("3DPose: AUC, 20 to 50 mm", "", 3),
    "pa_epe_mm": ("... after alignment (shape alone)", "mm", 1),
    "cpose_epe_mm": ("CPose: mean joint error", "mm", 1),
    "viewpoint_deg": ("viewpoint: mean angle", "deg", 1),
}


def tell(studio: Studio, found: Found, seconds: float) -> Path:
    """Write report.html; returns its path."""
    rendering = found["rendering"]
    best = min(found["rendered"], key=lambda who: found["rendered"][who]["epe_mm"])
    scores = found["rendered"][best]
    page = Page(
        title="Latent Hands: a demo",
        lead="A variational autoencoder learns what makes an image of a hand: its pose, the viewpoint, "
        "and everything else. It then reads 3D hands from images, and makes images of chosen hands in "
        "chosen scenes.",
        cards={
            f"mean joint error on unseen hands, {WHOSE[best]}": f"{scores['epe_mm']:.1f} mm",
            "the same, always guessing the mean pose": f"{scores['mean_pose']['epe_mm']:.1f} mm",
            "rendered hands to learn from, none downloaded": f"{rendering['count']:,}",
            "for everything on this page": f"{seconds / 60:.1f} min",
        },
        sections=[
            _hands(studio, rendering),
            _model(studio),
            _learning(studio),
            _numbers(found),
            _estimates(studio),
            _transfers(studio),
            _walks(studio),
            _further(studio),
        ],
        foot="Yang & Yao, Disentangling Latent Hands for Image Synthesis and Pose Estimation, CVPR 2019.",
    )
    path = studio.out / "report.html"
    write_text(path, page.html())
    return path


def _hands(studio: Studio, rendering: Found) -> Section:
    return Section(
        "The hands",
        [
            f"All images were rendered on this machine: {rendering['count']:,} to learn from and "
            f"{rendering['evaluation']:,} to test on, of other people in other places. Each comes with "
            "exact labels: 21 joints in millimetres, the camera, what is visible, and a tag image of "
            "the same scene.",
        ],
        [Figure(studio.path("hands.png"), "Hands kept for testing, with their labelled joints.")],
    )


def _model(studio: Studio) -> Section:
    drawings = [_graph(run, models["yours"]) for run, models in studio.models.items()]
    return Section(
        "The model",
        [
            "Encoders (red) infer a few numbers, the latent factors, from what is observed; decoders "
            "(grey) generate from them. Two graphs are trained. For estimation the factors are the "
            "canonical pose (fingers, seen from a fixed side) and the viewpoint. For synthesis they are "
            "pose and content: skin, light and background.",
            "First the factors are disentangled, each learned from its own labels. Then images are "
            "embedded: an encoder learns to find the same factors from pixels alone, while the decoders "
            "stay as they are.",
        ],
        svg="".join(drawings),
    )


def _graph(title: str, model: Model) -> str:
    graph = model.experiment
    read = {arrow.reads: arrow.factors for arrow in graph.encoders.values()}
    return graph_svg(title, read, {arrow.writes: arrow.factors for arrow in graph.decoders.values()})


def _learning(studio: Studio) -> Section:
    return Section(
        "The learning",
        [
            "Left, how far decoded joints or images are from the truth in the course of each phase "
            "(joints for a bone of 40 mm). Right, how much is written into each factor: a factor at zero "
            "would carry nothing.",
        ],
        [
            Figure(studio.path("curves_estimation.png"), "Estimation."),
            Figure(studio.path("curves_synthesis.png"), "Synthesis."),
        ],
    )


def _numbers(found: Found) -> Section:
    text = [
        "All errors are on hands that no model saw. As in the paper, which hand it is and the length of "
        "one bone are given, and the camera besides; everything else is read from the image. The mean "
        "pose is what one gets without looking. In brackets: 95 % bootstrap intervals.",
    ]
    if "shipped" in found["rendered"]:
        text.append(
            "The model trained here saw few hands for about a minute; the shipped one is the same model "
            "with more time."
        )
    return Section("The numbers", text, table=_table(found))


def _table(found: Found) -> Table:
    names = {"rendered": "rendered", "rhd": "RHD"}
    scores = {(data, who): numbers for data in names if data in found for who, numbers in found[data].items()}
    headings = ["", *(f"{names[data]}: {WHOSE[who]}" for data, who in scores)]
    headings += [f"{names[data]}: mean pose" for data in names if data in found]
    rows = []
    for key, (name, unit, digits) in SCORES.items():
        cells = [_cell(numbers, key, digits) for numbers in scores.values()]
        means = [
            f"{next(iter(found[data].values()))['mean_pose'][key]:.{digits}f}"
            for data in names
            if data in found
        ]
        rows.append([f"{name}{f', {unit}' if unit else ''}", *cells, *means])
    rows.append(["images", *(f"{numbers['samples']:,}" for numbers in scores.values())])
    return Table(headings, [[*row, *[""] * (len(headings) - len(row))] for row in rows])


def _cell(numbers: Found, key: str, digits: int) -> str:
    low, high = numbers[f"{key}_interval"]
    return f"{numbers[key]:.{digits}f}  ({low:.{digits}f} to {high:.{digits}f})"


def _each(studio: Studio, models: Models, kind: str, caption: str, side: bool = False) -> list[Figure]:
    return [
        Figure(studio.path(f"{who}_{kind}"), f"{WHOSE[who].capitalize()}. {caption}", side) for who in models
    ]


def _estimates(studio: Studio) -> Section:
    return Section(
        "Hands in images",
        [
            "Six unseen hands, evenly spaced in the test set and not picked, with their errors. Second "
            "column: the estimate over the image, a colour a finger. Then the hand in 3D from the front "
            "and from the side: the truth in red, the estimate in blue; paler is farther away. No model "
            "knows how large or where a hand is: over the image it is laid by the rule that cuts crops.",
        ],
        _each(studio, studio.models["estimation"], "estimates.png", "Estimates."),
    )


def _transfers(studio: Studio) -> Section:
    text = [
        "From each tag image in the first row the model reads the scene. Every image below is generated: "
        "the pose of its row in the scene of its column. No model ever saw such a pair. The second column "
        "shows the 3DPose that decodes from the same factor.",
        "The model trained here had two minutes and few hands, so its images are blurred; its poses are "
        "given as labelled joints. A model with more time reads the pose, too, from an image.",
    ]
    figures = _each(studio, studio.models["synthesis"], "transfer.png", "Pose transfer, Fig. 6 of the paper.")
    return Section("A pose carried into other scenes", text, figures)


def _walks(studio: Studio) -> Section:
    models = studio.models["synthesis"]
    return Section(
        "Walks through the latent space",
        [
            "One factor moves in a straight line from one image's value to another's, the other factor "
            "stands still. If the factors are disentangled, a walk along the pose leaves the scene alone, "
            "and the other way round.",
        ],
        [
            *_each(studio, models, "walk_pose.png", "The pose moves."),
            *_each(studio, models, "walk_content.png", "The content moves."),
            *_each(studio, models, "walk_pose.gif", "The pose moves.", side=True),
            *_each(studio, models, "walk_content.gif", "The content moves.", side=True),
        ],
    )


def _further(studio: Studio) -> Section:
    estimation, synthesis = studio.out / "estimation", studio.out / "synthesis"
    commands = (
        f"estimate {estimation} hand.jpg --hand left --box 40,25,128,128",
        f"transfer {synthesis} --poses a.png b.png --contents c.png d.png",
        "render hands --count 20000",
        "train estimation --data.root hands --out runs/estimation",
        f"evaluate {estimation} --data rhd --root RHD_published_v2",
    )
    code = "\n".join(f"latent-hands {command}" for command in commands)
    return Section("Further", ["The same with your own images and more hands:"], code=code)
