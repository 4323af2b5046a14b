"""Closed forms and invariances of the metrics."""

import numpy as np
import pytest
import roma
import torch

from latent_hands.evaluation import metrics


@pytest.fixture
def errors_mm() -> torch.Tensor:
    return 60 * torch.rand(40, 21, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def visible() -> torch.Tensor:
    visible = torch.rand(40, 21, generator=torch.Generator().manual_seed(1)) < 0.7
    visible[:, 3] = False
    return visible


def statistics(errors_mm, visible):
    yield lambda w: metrics.epe(errors_mm, visible, w)
    yield lambda w: metrics.median_epe(errors_mm, visible, w)
    yield lambda w: metrics.auc(metrics.pck(errors_mm, visible, counts=w), metrics.THRESHOLDS_MM)
    yield lambda w: metrics.mean_over_samples(errors_mm[:, 0], w)


def test_epe_is_the_mean_of_the_keypoints_means_where_they_are_visible(errors_mm, visible):
    by_hand = [errors_mm[visible[:, k], k].mean().item() for k in range(21) if k != 3]
    per_keypoint = metrics.epe_per_keypoint(errors_mm, visible)
    assert per_keypoint[3].isnan()
    assert metrics.epe(errors_mm, visible).item() == pytest.approx(np.mean(by_hand))


def test_median_epe_is_the_mean_of_the_keypoints_medians(errors_mm, visible):
    columns = [errors_mm[visible[:, k], k].numpy() for k in range(21) if k != 3]
    assert metrics.median_epe(errors_mm, visible).item() == pytest.approx(np.mean([*map(np.median, columns)]))


def test_pck_counts_errors_up_to_the_threshold_per_keypoint():
    errors_mm = torch.tensor([[10.0, 30.0], [20.0, 0.0], [40.0, 50.0]], dtype=torch.float64)
    visible = torch.tensor([[True, True], [True, False], [True, False]])
    shares = metrics.pck(errors_mm, visible, torch.tensor([0.0, 20, 30, 50], dtype=torch.float64))
    assert shares.tolist() == pytest.approx([0, 1 / 3, (2 / 3 + 1) / 2, 1])


def test_what_is_invisible_changes_nothing(errors_mm, visible):
    other = torch.where(visible, errors_mm, 1000.0)
    assert metrics.epe(other, visible) == metrics.epe(errors_mm, visible)
    assert metrics.median_epe(other, visible) == metrics.median_epe(errors_mm, visible)
    assert (metrics.pck(other, visible) == metrics.pck(errors_mm, visible)).all()


def test_the_published_auc_integrates_twelve_thresholds():
    assert len(metrics.THRESHOLDS_20_50_MM) == 12
    assert metrics.THRESHOLDS_20_50_MM[0].item() == pytest.approx(21.0526, abs=1e-4)
    for thresholds_mm in (metrics.THRESHOLDS_MM, metrics.THRESHOLDS_20_50_MM, metrics.EXACT_20_50_MM):
        assert metrics.auc(torch.ones_like(thresholds_mm), thresholds_mm).item() == pytest.approx(1)
        assert metrics.auc(thresholds_mm / 50, thresholds_mm).item() == pytest.approx(
            (thresholds_mm[0].item() + 50) / 100
        )


def test_the_published_pck_of_spurr_gives_the_published_auc():
    stb = [0.948, 0.961, 0.970, 0.977, 0.982, 0.986, 0.989, 0.991, 0.993, 0.994, 0.995, 0.996]
    auc = metrics.auc(torch.tensor(stb, dtype=torch.float64), metrics.THRESHOLDS_20_50_MM)
    assert auc.item() == pytest.approx(0.983, abs=1e-3)


def test_alignment_undoes_any_similarity():
    generator = torch.Generator().manual_seed(4)
    truth = 30 * torch.randn(8, 21, 3, generator=generator, dtype=torch.float64)
    visible = torch.rand(8, 21, generator=generator) < 0.8
    with torch.random.fork_rng():
        torch.manual_seed(0)
        R = roma.random_rotmat(8, dtype=torch.float64)
    moved = 1.7 * truth @ R + 100
    moved[~visible] = 0
    aligned = metrics.procrustes_align(moved, truth, visible)
    torch.testing.assert_close(aligned[visible], truth[visible])
    mirrored = metrics.procrustes_align(-truth, truth, visible)
    assert (mirrored - truth)[visible].norm(dim=-1).mean() > 1


def test_counts_repeat_samples(errors_mm, visible):
    counts = torch.randint(0, 4, (40,), generator=torch.Generator().manual_seed(2)).double()
    again = torch.arange(40).repeat_interleave(counts.long())
    counted = [statistic(counts) for statistic in statistics(errors_mm, visible)]
    repeated = [
        statistic(torch.ones(len(again), dtype=torch.float64))
        for statistic in statistics(errors_mm[again], visible[again])
    ]
    torch.testing.assert_close(counted, repeated)


def test_rows_of_counts_are_independent(errors_mm, visible):
    counts = metrics.bootstrap_counts(40, resamples=5)
    for statistic in statistics(errors_mm, visible):
        torch.testing.assert_close(statistic(counts), torch.stack([statistic(row) for row in counts]))


def test_the_bootstrap_repeats_and_covers_the_mean_as_theory_predicts():
    assert torch.equal(metrics.bootstrap_counts(9, 20), metrics.bootstrap_counts(9, 20))
    assert (metrics.bootstrap_counts(9, 20).sum(dim=1) == 9).all()
    values = torch.randn(400, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    resampled = metrics.mean_over_samples(values, metrics.bootstrap_counts(400))
    low, high = metrics.interval_95(resampled)
    half_width = 1.96 * values.std().item() / 20
    assert low == pytest.approx(values.mean().item() - half_width, abs=0.02)
    assert high == pytest.approx(values.mean().item() + half_width, abs=0.02)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hands_with_fewer_than_three_visible_joints_change_no_aligned_error(count):
    truth = 30 * torch.randn(6, 21, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    prediction = truth + torch.randn(6, 21, 3, generator=torch.Generator().manual_seed(6))
    visible = torch.ones(6, 21, dtype=torch.bool)

    def error(hands: slice) -> torch.Tensor:
        aligned = metrics.procrustes_align(prediction[hands], truth[hands], visible[hands])
        assert aligned.isfinite().all()
        errors_mm = metrics.joint_errors(aligned, truth[hands])
        return metrics.epe_per_keypoint(errors_mm, metrics.alignable(visible[hands]))

    visible[5, count:] = False
    torch.testing.assert_close(error(slice(0, 6)), error(slice(0, 5)))
