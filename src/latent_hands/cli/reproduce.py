"""The command reproduce."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from latent_hands.cli.options import unset


def reproduce(
    what: Annotated[str, Positional, arg(metavar="WHAT")],
    rendered: Annotated[Path | None, unset("rendered into OUT/hands", "DIR", "A rendered data set.")] = None,
    rhd: Annotated[Path | None, unset("none", "DIR", "The folder of RHD.")] = None,
    stb: Annotated[Path | None, unset("none", "DIR", "The folder of STB.")] = None,
    out: Annotated[Path, arg(metavar="OUT")] = Path("runs/reproduce"),
    effort: Annotated[float, arg(metavar="FACTOR")] = 1.0,
    seeds: Annotated[int, arg(metavar="N")] = 3,
    count: Annotated[int, arg(metavar="N")] = 6000,
    run: Annotated[str | None, unset("train the run", "RUN")] = None,
    shares: Annotated[tuple[int, ...], unset("1 5 10 20 50 100", "PERCENT ...")] = (),
) -> None:
    """Make a figure or table of the paper: train the missing runs, measure, draw.

    $ latent-hands reproduce fig7
    $ latent-hands reproduce fig6 --run synthesis --rendered scenes
    $ latent-hands reproduce fig9 --effort 0.25 --seeds 1 --shares 5 20
    $ latent-hands reproduce all --rhd RHD_published_v2 --stb STB

    * fig4, fig5: walks along pose and content, and along z_u.
    * fig6: poses of some images in the scenes of others.
    * fig7: errors of poses: the curve of correct joints (PCK), and the mean error (EPE).
    * fig8: predictions and ground truth.
    * fig9: EPE over the share of labels.
    * table, baselines: the disentangled VAE, the cross-modal VAE, and regression.
    * simultaneous: Eq. 5 compared with two phases and with alternating training.
    * beta, dimension: beta and the size of the latent.

    Output: figures (PNG, PDF), their numbers as JSON and the trained runs in OUT. Without folders of data
    sets, all hands are rendered. RHD and STB are used for evaluation, and for training if their training
    split exists.

    Time on two processor cores: about 2 minutes for a run of estimation, 15 minutes for a run of synthesis.
    `all` takes about 5 hours, or half an hour with --seeds 1 --effort 0.25. Runs for each seed: table and
    baselines 3, simultaneous 3, beta 6, dimension 5, fig9 31. The figures 4 to 8 need three runs in all.

    Run the same command again to continue after Ctrl-C. Finished runs are kept and shared by the figures.

    Args:
        what: fig4 to fig9, table, baselines, simultaneous, beta, dimension, or all.
        out: The folder of figures, runs and rendered hands.
        effort: Factor on the epochs of every training.
        seeds: Number of trainings of each experiment of a study.
        count: Number of training hands: rendered, or the first ones of the data set.
        run: For fig4 to fig8: use this run, and train nothing.
        shares: For fig9: the shares of labelled hands in percent.
    """
    from latent_hands.studies.reproduce import SHOWING, Sets, Study
    from latent_hands.studies.reproduce import reproduce as make

    sets = Sets(out, rendered, rhd, stb, count, trained=run is None, few=what in SHOWING)
    for file in make(what, Study(sets, effort, seeds, run, shares)):
        print(file)
