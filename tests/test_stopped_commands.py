"""Every long command ends with the code of the signal that stops it, and with one line."""

import os
import signal
import sys
from importlib import import_module

import pytest

from latent_hands import cli
from latent_hands.interrupt import STOPPING

DATA = "--data rendered --root hands"
COMMANDS = {
    "demo --out out": "studies.demo.run_demo",
    "render out": "rendering.sets.dataset.render_dataset",
    f"prepare out {DATA}": "data.prepare.prepare",
    f"export out {DATA} --layout coco": "data.export.export_data",
    f"check {DATA}": "doctor.check_set",
    "train cross_modal": "training.train",
    f"fine-tune estimation {DATA}": "data.open_data",
    "detector train plan.toml": "detection.plan.read_plan",
    f"evaluate estimation {DATA}": "api.evaluate",
    "reproduce fig5 --out out": "studies.reproduce.reproduce",
    "estimate images": "predictor.Model.load",
    "label images out": "cli.label_images.label_images",
    "runs average estimation --out out": "runs.average.average",
    "conventions relabel hands out": "rendering.sets.relabel.relabel_rendered",
}
"""Commands, and what of `latent_hands` works when the signal comes."""


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_stopped_command_ends_with_the_code_of_its_signal(command, number, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"")
    import_module("latent_hands.studies.fine_tuning")  # a module imported later would keep what is patched
    monkeypatch.setattr(f"latent_hands.{COMMANDS[command]}", lambda *_, **__: signal.raise_signal(number))
    assert cli.main(command.split()) == 128 + number
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


def test_a_command_whose_reader_has_gone_ends_without_a_message(monkeypatch, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert cli.main(["models"]) == cli.OK
    assert capfd.readouterr().err == ""
