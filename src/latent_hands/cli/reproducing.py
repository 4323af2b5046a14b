"""The command that makes the figures and tables of the paper: reproduce."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

Folder = Annotated[Path | None, arg(metavar="DIR")]


def reproduce(
    what: Annotated[str, Positional, arg(metavar="WHAT")],
    data: Folder = None,
    rhd: Folder = None,
    stb: Folder = None,
    out: Path = Path("runs/reproduce"),
    effort: float = 1.0,
    seeds: Annotated[int, arg(metavar="N")] = 3,
    hands: Annotated[int, arg(metavar="N")] = 6000,
    run: Annotated[str | None, arg(metavar="RUN")] = None,
    shares: Annotated[tuple[int, ...], arg(metavar="PERCENT")] = (),
) -> None:
    """Make a figure or table of the paper: train what is missing, measure, draw (PNG, PDF, numbers as JSON).

    $ latent-hands reproduce fig7
    $ latent-hands reproduce fig6 --run synthesis --data scenes
    $ latent-hands reproduce fig9 --effort 0.25 --seeds 1 --shares 5 20
    $ latent-hands reproduce all --rhd RHD_published_v2 --stb STB

    fig4 (walks along pose and content), fig5 (along z_u), fig6 (transfer), fig7 (PCK and EPE), fig8
    (estimates beside the truth), fig9 (EPE over the share of labels), table and baselines (dVAE, cross-modal
    VAE, regression), joint (Eq. 5 beside two phases and alternating training), beta and dimension (the lost
    supplementary), or all. Without folders everything happens on rendered hands; RHD and STB are scored on,
    and learned from where their training split is there.

    A second call goes on where one was stopped, with Ctrl-C or otherwise, and draws at once what is trained.
    Runs are shared by the figures and lie in OUT/runs.

    About two minutes a run of estimation on two processor cores, a quarter of an hour a run of synthesis.
    Runs: fig4 and fig6 one of synthesis, fig5 another; fig7 and fig8 one of estimation; for each seed table
    and baselines 3, joint 3, beta 6, dimension 5, fig9 25. All in all about five hours, or half an hour with
    one seed and an effort of 0.25.

    Args:
        what: fig4 .. fig9, table, baselines, joint, beta, dimension, or all.
        data: A rendered set [one is rendered into OUT/hands].
        rhd: The folder of RHD.
        stb: The folder of STB.
        out: Where figures, runs and rendered hands go.
        effort: Multiplies the epochs of every training.
        seeds: How often each experiment of a study is trained.
        hands: Training hands: so many are rendered, or the first so many are taken.
        shares: For fig9: these shares of labelled hands, and all of them [5 10 20 40 60 80 100].
        run: For fig4 .. fig8: show this run, a folder or a shipped one by name, and train nothing.
    """
    from latent_hands.studies.reproduce import Sets, Study
    from latent_hands.studies.reproduce import reproduce as make

    for file in make(what, Study(Sets(out, data, rhd, stb, hands), effort, seeds, run, shares)):
        print(file)
