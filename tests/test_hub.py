"""Runs on the Hugging Face Hub: published, loaded, pinned and cached; a hub on this machine stands for it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from command_line import fails
from hub_server import Hub, served
from huggingface_hub import ModelCard, constants
from tiny_models import ESTIMATION, SYNTHESIS, tiny_run

import latent_hands as lh
from latent_hands.cli import main
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.runs import hub as hub_module
from latent_hands.runs.folder import change_run, find_run, load_run
from latent_hands.runs.hub import hub_folder, parse_hub, pinned
from latent_hands.runs.metrics import append_metrics
from latent_hands.runs.publishing import about_run, publish, write_publication

FILES = {"experiment.toml", "weights.safetensors"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty cache and no connection."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_no_account")
    hub_module._folder.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tiny_run(tmp_path / "mine", ESTIMATION)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    with served(Hub()) as hub:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the connection, and forget what the process has looked up."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_module._folder.cache_clear()


def files_of(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES}


def put_in_cache(cache: Path, run: Path, commit: str = COMMIT) -> None:
    """Write a cache by hand, as huggingface_hub lays it out."""
    repo = cache / "models--me--hands"
    for folder in (repo / "refs", repo / "snapshots" / commit, repo / "blobs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    for name, data in files_of(run).items():
        (repo / "blobs" / name).write_bytes(data)
        (repo / "snapshots" / commit / name).symlink_to(f"../../blobs/{name}")


def test_a_cached_run_loads_without_a_connection(cache: Path, run: Path):
    put_in_cache(cache, run)
    for name in ("hf-hub:me/hands", "hf-hub:me/hands@main", f"hf-hub:me/hands@{COMMIT}"):
        model = lh.load(name)
        assert model.run == f"hf-hub:me/hands@{COMMIT}"
        for key, value in load_run(run)[0].state_dict().items():
            assert torch.equal(model.vae.state_dict()[key], value)


def test_the_cache_is_that_of_hf_home(tmp_path: Path, run: Path):
    put_in_cache(tmp_path / "home" / "hub", run)
    code = "import latent_hands as lh; print(lh.load('hf-hub:me/hands').run)"
    env = os.environ | {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    env.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert done.stdout == f"hf-hub:me/hands@{COMMIT}\n"
    assert done.stderr == ""


def test_an_incomplete_cache_is_refused_in_one_line(cache: Path, run: Path, capsys: pytest.CaptureFixture):
    put_in_cache(cache, run)
    (cache / "models--me--hands" / "blobs" / "weights.safetensors").unlink()
    error = fails(capsys, "runs", "shrink", "hf-hub:me/hands", "--out", cache / "small")
    assert f"is not in the cache {cache}" in error
    assert "HF_HUB_OFFLINE is set" in error


def test_a_damaged_download_is_refused(cache: Path, run: Path):
    put_in_cache(cache, run)
    (cache / "models--me--hands" / "blobs" / "weights.safetensors").write_bytes(b"not tensors")
    with pytest.raises(HandsError, match=r"not a readable safetensors file"):
        lh.load("hf-hub:me/hands")


@pytest.mark.parametrize(
    "name",
    ["", "hands", "me/hands/more", "me/../hands", "me/hands@../../x", "me/hands@", "me/ha nds", "-m/x"],
)
def test_other_names_are_refused(name: str):
    with pytest.raises(HandsError, match="does not name a run on the Hugging Face Hub"):
        find_run(f"hf-hub:{name}")


def test_names_read_back():
    for name in ("hf-hub:me/hands", "hf-hub:me/my.hands_2@v1.0", "hf-hub:me/hands@refs/pr/1"):
        assert str(parse_hub(name)) == name
    assert pinned("estimation") == "estimation"


def test_what_was_published_is_what_loads(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch):
    name = publish(run, about_run(run, "me/hands", "mit"))
    assert name == f"hf-hub:me/hands@{hub.repos['me/hands'][-1][0]}"
    assert lh.load("hf-hub:me/hands").run == name
    assert files_of(hub_folder(name))["weights.safetensors"] == files_of(run)["weights.safetensors"]
    assert {each.name for each in hub_folder(name).iterdir()} == FILES
    offline(monkeypatch)
    assert lh.load("hf-hub:me/hands").run == name


def test_a_branch_moves_and_a_commit_stays(hub: Hub, run: Path, tmp_path: Path):
    first = hub.commit("me/hands", files_of(run))
    second = hub.commit("me/hands", files_of(tiny_run(tmp_path / "other", SYNTHESIS)))
    assert hub_folder("hf-hub:me/hands").name == second
    assert hub_folder(f"hf-hub:me/hands@{first}").name == first
    assert load_run(f"hf-hub:me/hands@{first}")[1] == load_run(run)[1]
    hub_module._folder.cache_clear()
    asked = len(hub.requests)
    assert hub_folder(f"hf-hub:me/hands@{first}").name == first
    assert len(hub.requests) == asked, "a commit in the cache needs no connection"


def test_nothing_but_a_run_is_downloaded(hub: Hub, run: Path):
    hub.commit(
        "me/hands", files_of(run) | {"model.pkl": b"x", "code.py": b"x", "sub/weights.safetensors": b"x"}
    )
    hub_folder("hf-hub:me/hands")
    fetched = {path.rpartition("/")[2] for path in hub.requests if "/resolve/" in path}
    assert fetched == FILES
    assert not any("/sub/" in path for path in hub.requests)


def test_sizes_are_checked_before_the_download(hub: Hub, run: Path, monkeypatch: pytest.MonkeyPatch):
    hub.commit("me/hands", files_of(run))
    monkeypatch.setitem(hub_module.LIMITS, "weights.safetensors", 1000)
    with pytest.raises(HandsError, match=r"weights.safetensors has \d+ bytes; at most 1000"):
        lh.load("hf-hub:me/hands")
    assert not any("/resolve/" in path for path in hub.requests)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ((404, "RepoNotFound"), "is not on the Hugging Face Hub, or it is private"),
        ((401, "RepoNotFound"), "is not on the Hugging Face Hub, or it is private"),
        ((403, "GatedRepo"), "needs the consent of its owner"),
        ((404, "RevisionNotFound"), 'has no commit, tag or branch "v9"'),
        ((500, "x"), "the Hugging Face Hub cannot be reached: "),
    ],
)
def test_a_refusal_is_one_line(
    hub: Hub, refused: tuple[int, str], words: str, capsys: pytest.CaptureFixture, tmp_path: Path
):
    hub.refused["me/hands"] = refused
    error = fails(capsys, "runs", "shrink", "hf-hub:me/hands@v9", "--out", tmp_path / "small")
    assert words in error


def test_a_repository_of_others_is_no_run(hub: Hub):
    hub.commit("me/llm", {"config.json": b"{}", "weights.safetensors": b"x"})
    with pytest.raises(HandsError, match=r"is not a run of latent-hands: it has no experiment.toml"):
        lh.load("hf-hub:me/llm")


def test_a_run_made_from_a_published_one_names_its_commit(hub: Hub, run: Path, tmp_path: Path):
    commit = hub.commit("me/hands", files_of(run))
    assert main(["runs", "shrink", "hf-hub:me/hands", "--out", str(tmp_path / "small")]) == 0
    assert commit in (tmp_path / "small" / "weights.safetensors").read_bytes().decode("latin-1")
    saved = lh.load("hf-hub:me/hands").save(tmp_path / "saved")
    assert commit in (saved / "weights.safetensors").read_bytes().decode("latin-1")


def test_a_dry_run_writes_what_would_be_uploaded(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    append_metrics(run, {"update": 9, "epe_mm": 11.5, "active_cpose": 3.0})
    append_metrics(run, {"update": 9, "loss": 1.0})
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"samples": 7, "epe_mm": 12.25, "epe_mm_interval": [11.0, 13.0], "pck": {}}))
    out = tmp_path / "out"
    arguments = ["publish", run, "me/hands", "--licence", "cc-by-4.0", "--scores", f"rhd={scores}"]
    assert main([str(each) for each in (*arguments, "--dry-run", out, "--json")]) == 0
    sizes = json.loads(capsys.readouterr().out)["bytes"]
    assert sizes == {each.name: each.stat().st_size for each in out.iterdir()}
    assert set(sizes) == {"experiment.toml", "weights.safetensors", "README.md"}
    card = ModelCard((out / "README.md").read_text())
    assert (card.data.license, card.data.pipeline_tag) == ("cc-by-4.0", "keypoint-detection")
    values = {(each.dataset_type, each.metric_type): each.metric_value for each in card.data.eval_results}
    validation = f"{load_run(run)[1].data.name} (validation)"
    assert values == {(validation, "epe_mm"): 11.5, ("rhd", "epe_mm"): 12.25}
    assert "| EPE, mean (mm) | 12.25 | 11 .. 13 |" in card.text
    assert 'lh.load("hf-hub:me/hands")' in card.text
    for name in ("a|b", "a\nb", "a\n---\nlicense: mit", "`a`", "<b>"):
        wrong = ["publish", run, "me/hands", "--scores", f"{name}={scores}", "--dry-run", tmp_path / "wrong"]
        assert main([str(each) for each in wrong]) == 2
        assert "goes into the model card" in capsys.readouterr().err
    assert not (tmp_path / "wrong").exists()


def test_nothing_of_this_machine_is_published(run: Path, tmp_path: Path):
    change_run(run, data=replace(load_run(run)[1].data, root="/home/me/secret"))
    assert b"secret" in (run / "experiment.toml").read_bytes()
    out = write_publication(run, about_run(run, "me/hands", "mit"), tmp_path / "out")
    assert not any(b"secret" in each.read_bytes() for each in out.iterdir())
    assert load_experiment(out / "experiment.toml").data.root == ""


def test_the_card_of_a_run_is_kept_with_new_front_matter(run: Path, tmp_path: Path):
    (run / "MODEL_CARD.md").write_text("---\nlicense: other\n---\n\n# My hands\n\n---\n\nText.\n")
    out = write_publication(run, about_run(run, "me/hands", "mit"), tmp_path / "out")
    _, front, text = (out / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "mit"
    assert text == "\n# My hands\n\n---\n\nText.\n"


def test_shipped_models_can_be_published(tmp_path: Path):
    out = write_publication("synthesis", about_run("synthesis", "me/images"), tmp_path / "out")
    data = ModelCard((out / "README.md").read_text()).data
    assert (data.license, data.pipeline_tag) == ("mit", "image-to-image")
    assert load_run(out)[1].latent == load_run("synthesis")[1].latent


def test_a_publication_that_cannot_be_made_is_refused(
    run: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(HandsError, match="give --licence"):
        about_run(run, "me/hands")
    with pytest.raises(HandsError, match='licence is "My own"'):
        about_run(run, "me/hands", "My own")
    with pytest.raises(HandsError, match="give OWNER/NAME alone"):
        about_run(run, "me/hands@v1", "mit")
    with pytest.raises(HandsError, match="the scores on rhd have none of epe_mm"):
        about_run(run, "me/hands", "mit", {"rhd": {"auc": 1}})
    with pytest.raises(HandsError, match="epe_mm is 'low', but must be 1 finite number"):
        about_run(run, "me/hands", "mit", {"rhd": {"epe_mm": "low"}})
    with pytest.raises(HandsError, match=r"epe_mm_interval is 3.0, but must be 2 finite number"):
        about_run(run, "me/hands", "mit", {"rhd": {"epe_mm": 3.0, "epe_mm_interval": 3.0}})
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(HandsError, match="is not empty"):
        write_publication(run, about_run(run, "me/hands", "mit"), tmp_path / "full")
    offline(monkeypatch)
    with pytest.raises(HandsError, match="hf-hub:me/hands cannot be published: "):
        publish(run, about_run(run, "me/hands", "mit"))


def test_options_of_publish_that_contradict_each_other_are_refused(run: Path, tmp_path: Path, capsys):
    scores = tmp_path / "scores.json"
    scores.write_text('{"epe_mm": 3.0}')
    command = ["publish", str(run), "me/hands", "--licence", "mit", "--dry-run", str(tmp_path / "out")]
    twice = fails(capsys, *command, "--scores", f"rhd={scores}", f"rhd={scores}")
    assert f"--scores names rhd twice: {scores} and {scores}" in twice
    assert "--scores: no file at absent.json" in fails(capsys, *command, "--scores", "rhd=absent.json")
    assert "must be NAME=FILE, such as ge2019=FILE" in fails(capsys, *command, "--scores", "rhd")
    assert "--private has no effect with --dry-run" in fails(capsys, *command, "--private")
    assert not (tmp_path / "out").exists()
