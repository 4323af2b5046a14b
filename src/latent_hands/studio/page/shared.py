"""The parts that all pages of a server share: runs, the estimator of photographs, and the queue of work."""

import threading
from collections.abc import Sequence

import torch

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import FRAMING
from latent_hands.hand.translation import translate
from latent_hands.predictor import Model
from latent_hands.runs.shipped import shipped_runs
from latent_hands.studio.data_set import DataSet
from latent_hands.studio.instrument import Instrument
from latent_hands.studio.puppet import Puppet
from latent_hands.studio.work import Work

THREADS = 1
"""Threads of torch. A move is many small operations, for which further threads cost more than they gain."""
ESTIMATOR = "estimation"
"""The shipped run that reads photographs."""


class Shared:
    """Runs by name, each loaded once.

    Args:
        names: the runs that pages may load: run folders, or names of shipped models. Shipped models are
            added. Pages cannot load anything else from this machine.
        data: the data set whose images pages may load; None without one.
    """

    def __init__(self, names: Sequence[str], data: DataSet | None = None):
        torch.set_num_threads(THREADS)
        self.names = tuple(dict.fromkeys([*names, *shipped_runs()]))
        self.data = data
        self.work = Work()
        self._loading = threading.Lock()
        self._instruments: dict[str, Instrument] = {}
        self._estimator: Model | None = None

    def instrument(self, name: str) -> Instrument:
        """Return a run, with its directions measured. Raises HandsError for another name than `names`."""
        if name not in self.names:
            raise HandsError(f'the studio has no run "{name}", only {", ".join(self.names)}')
        with self._loading:
            if name not in self._instruments:
                instrument = Instrument(Model.load(name), name)
                _ = instrument.directions
                self._instruments[name] = instrument
            return self._instruments[name]

    def prepare(self) -> None:
        """Load the estimator in the background, so that the first photograph does not wait for it."""
        threading.Thread(target=self._prepare, name="studio estimator", daemon=True).start()

    def _prepare(self) -> None:
        convention = self.estimator.experiment.data.convention
        translate(Puppet.relaxed().pose[None], convention, FRAMING)

    @property
    def estimator(self) -> Model:
        """The model that finds hands in photographs."""
        with self._loading:
            if self._estimator is None:
                self._estimator = Model.load(ESTIMATOR)
                _ = self._estimator.detector
            return self._estimator
