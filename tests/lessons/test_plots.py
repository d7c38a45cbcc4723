"""The pictures: each draws what it is given, into the axes it is given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from movierec.data.features import Features
from movierec.lessons import network_plots, plots
from movierec.network.settings import NetworkConfig
from movierec.sample.simulate import Simulation


@pytest.fixture
def ax() -> Iterator[Axes]:
    """Axes that must come to life when everything has been drawn."""
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    yield axes
    figure.canvas.draw()


def line(ax: Axes, label: str) -> np.ndarray:
    """The points of the line of a name: (points, 2)."""
    [found] = [drawn for drawn in ax.lines if drawn.get_label() == label]
    return np.column_stack([found.get_xdata(), found.get_ydata()]).astype(float)


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def widths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches]


def heights(ax: Axes) -> list[float]:
    return [bar.get_height() for bar in ax.patches]


def ticks(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [2.5, 1.5, 1.6]}
    )


def test_loss_curves_put_training_half_an_epoch_before_validation(
    ax: Axes, history: pd.DataFrame
) -> None:
    assert plots.loss_curves(history, ax, {"global mean": 1.25}) is ax
    assert_allclose(line(ax, "training"), [[0.5, 3], [1.5, 2], [2.5, 1]])
    assert_allclose(line(ax, "validation"), [[1, 2.5], [2, 1.5], [3, 1.6]])
    assert_allclose(line(ax, "global mean")[:, 1], 1.25)
    assert legend(ax) == ["training", "validation", "global mean"]


def test_loss_curves_without_validation_rows_name_no_validation(
    ax: Axes, history: pd.DataFrame
) -> None:
    plots.loss_curves(history.assign(val_loss=np.nan), ax)
    assert legend(ax) == ["training"]


def test_paired_losses_ring_the_best_epoch_of_each_training(
    ax: Axes, history: pd.DataFrame
) -> None:
    plots.paired_losses({"one": history, "two": history.assign(val_loss=[1.0, 2.0, 3.0])}, ax)
    assert_allclose(line(ax, "one: training"), [[0.5, 3], [1.5, 2], [2.5, 1]])
    assert_allclose(line(ax, "two: validation"), [[1, 1], [2, 2], [3, 3]])
    rings = [drawn for drawn in ax.lines if drawn.get_fillstyle() == "none"]
    assert [ring.get_xydata().tolist() for ring in rings] == [[[2, 1.5]], [[1, 1]]]


def test_step_losses_stand_over_the_rows_seen(ax: Axes) -> None:
    plots.step_losses({256: np.array([1.0, 0.5]), 1000: np.array([0.75])}, ax)
    assert [list(line.get_xdata()) for line in ax.lines] == [[256, 512], [1000]]
    assert ax.get_legend_handles_labels()[1] == ["256 rows a step", "1,000 rows a step"]


def test_bars_stand_in_order_with_whole_numbers_written_whole(ax: Axes) -> None:
    plots.bars(pd.Series({"a": 1200.0, "b": 7.0}), ax, "ratings", "kind", highlight="b")
    assert heights(ax) == [1200, 7]
    assert ticks(ax.xaxis) == ["a", "b"]
    assert texts(ax) == ["1,200", "7"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("kind", "ratings")
    assert [to_hex(bar.get_facecolor()).upper() for bar in ax.patches] == list(plots.COLOURS[:2])


def test_lying_bars_have_the_first_on_top(ax: Axes) -> None:
    plots.bars(pd.Series({"a": 0.5, "b": 0.25}), ax, "stars", horizontal=True, digits=3)
    assert widths(ax) == [0.5, 0.25]
    assert texts(ax) == ["0.500", "0.250"]
    assert ax.get_xlabel() == "stars"
    assert ax.yaxis_inverted()


def test_grouped_lines_leave_out_no_column_and_look_different(ax: Axes) -> None:
    table = pd.DataFrame([range(20)], columns=[f"method {i}" for i in range(20)])
    plots.grouped_lines(table, ax, "rating", "RMSE (stars)")
    assert len({(line.get_color(), line.get_marker()) for line in ax.lines}) == 20


def test_grouped_lines_draw_a_line_a_column(ax: Axes) -> None:
    table = pd.DataFrame({"network": [1.0, 2.0], "biases": [3.0, 4.0]}, index=[0.5, 1.0])
    plots.grouped_lines(table, ax, "rating", "RMSE (stars)")
    assert_allclose(line(ax, "network")[:, 1], [1, 2])
    assert_allclose(line(ax, "biases")[:, 1], [3, 4])
    assert ticks(ax.xaxis) == ["0.5", "1"]
    assert legend(ax) == ["network", "biases"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rating", "RMSE (stars)")


def test_places_draw_a_named_line_each_with_the_first_place_on_top(ax: Axes) -> None:
    table = pd.DataFrame({0: [30, 1], 1: [2, 5]}, index=["Alien", "Heat"])
    plots.places(table, ax, "films rated")
    drawn = [drawn.get_ydata().tolist() for drawn in ax.lines]
    assert drawn == [[30, 2], [1, 5]]
    assert [(text.get_text(), text.xy) for text in ax.texts] == [
        ("Alien", ("1", 2)),
        ("Heat", ("1", 5)),
    ]
    assert ax.yaxis_inverted()


def test_calibration_sets_the_parts_against_the_diagonal(ax: Axes) -> None:
    plots.calibration([2.0, 4.5], [2.5, 4.0], ax)
    assert_allclose(line(ax, "the model"), [[2.5, 2], [4, 4.5]])
    assert_allclose(line(ax, "right on average"), [[2, 2], [4.5, 4.5]])


def test_calibration_draws_the_uncertainty_of_what_was_given(ax: Axes) -> None:
    plots.calibration([2.0, 4.5], [2.5, 4.0], ax, error=[0.5, np.nan])
    [bars] = ax.collections
    assert_allclose(bars.get_segments()[0], [[2.5, 1.5], [2.5, 2.5]])


def test_intervals_put_the_first_method_on_top_and_mark_one(ax: Axes) -> None:
    table = pd.DataFrame({"value": [0.3, 0.1], "low": [0.2, 0.1], "high": [0.5, 0.1]}, ["a", "b"])
    plots.intervals(table, ax, "ndcg", highlight="b")
    reach = [bars.get_segments()[0] for bars in ax.collections]
    assert_allclose(reach, [[[0.2, 0], [0.5, 0]], [[0.1, 1], [0.1, 1]]])
    assert texts(ax) == ["0.300", "0.100"]
    assert ticks(ax.yaxis) == ["a", "b"]
    assert ax.yaxis_inverted()
    colours = [to_hex(bars.get_color()[0]).upper() for bars in ax.collections]
    assert colours == [plots.COLOURS[0], plots.COLOURS[1]]


def test_points_of_other_groups_are_grey(ax: Axes) -> None:
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    plots.points_by_group(points, ["Drama", "War", "Drama"], ax, ["Drama"])
    rest, drama = ax.collections
    assert_allclose(rest.get_offsets(), points[[1]])
    assert_allclose(drama.get_offsets(), points[[0, 2]])
    assert legend(ax) == ["other", "Drama"]


def test_histogram_of_few_whole_numbers_has_a_bar_for_each(ax: Axes) -> None:
    plots.histogram([1, 1, 2, 4], ax, "words", "films")
    assert heights(ax) == [2, 1, 0, 1]
    assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in ax.patches], [1, 2, 3, 4])
    assert_allclose(line(ax, "median 1.5")[:, 0], 1.5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("words", "films")


def test_histogram_of_other_numbers_has_bins_of_one_width(ax: Axes) -> None:
    plots.histogram(np.linspace(0, 1, 11), ax, "stars", "users")
    assert len(ax.patches) == plots.BINS
    assert_allclose(widths(ax), 1 / plots.BINS)
    assert sum(heights(ax)) == 11


def test_long_tail_ranks_what_was_rated_and_marks_half_of_it(ax: Axes) -> None:
    plots.long_tail([1, 0, 10, 4, 3], ax, "films")
    [drawn] = ax.lines
    assert drawn.get_ydata().tolist() == [10, 4, 3, 1]
    assert drawn.get_xdata().tolist() == [1, 2, 3, 4]
    assert texts(ax) == ["the first 1\nhave half\nof all ratings"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    with rc_context(plots.STYLE):  # under which formulas are not set
        ax.figure.canvas.draw()
        assert "10" in ticks(ax.yaxis)
        assert not any("$" in tick for tick in ticks(ax.yaxis) + ticks(ax.xaxis))


def test_over_time_counts_by_month_and_shows_empty_months(ax: Axes) -> None:
    moments = pd.to_datetime(["2000-01-05", "2000-01-20", "2000-03-01"])
    plots.over_time([moment.timestamp() for moment in moments], ax)
    [drawn] = ax.lines
    assert list(drawn.get_ydata()) == [2, 0, 1]


def test_heatmap_has_zero_in_the_middle_and_writes_its_numbers(ax: Axes) -> None:
    table = pd.DataFrame([[1.0, -2.0], [0.0, 0.5]], index=["a", "b"], columns=["x", "y"])
    plots.heatmap(table, ax, digits=1)
    [image] = ax.images
    assert_allclose(image.get_array(), table)
    assert image.get_clim() == (-2, 2)
    assert texts(ax) == ["1.0", "-2.0", "0.0", "0.5"]
    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["x", "y"], ["a", "b"])


def test_heatmap_has_a_scale_of_the_numbers_that_occur(ax: Axes) -> None:
    plots.heatmap(np.array([[0.25, 0.5]]), ax, label="share")
    [_, scale] = ax.figure.axes
    assert scale.get_ylabel() == "share"
    assert scale.get_ylim() == (0, 0.5)  # no scale for the negative numbers that are not there


def test_heatmap_writes_nothing_unless_asked_nor_where_there_is_no_number(ax: Axes) -> None:
    plots.heatmap(np.zeros((2, 3)), ax)
    assert texts(ax) == []
    plots.heatmap(np.array([[1.0, np.nan, -0.2]]), ax, digits=0)
    assert texts(ax) == ["1", "0"]


def test_outline_frames_whole_cells(ax: Axes) -> None:
    plots.outline(ax, row=1, column=2, height=2, width=3)
    [frame] = ax.patches
    assert frame.get_xy() == (1.5, 0.5)
    assert (frame.get_width(), frame.get_height()) == (3, 2)


def test_lookup_shows_that_one_hot_rows_times_a_matrix_are_its_rows() -> None:
    axes = Figure().subplots(1, 3)
    matrix = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    network_plots.lookup([2, 0], matrix, axes, ["sea", "red"])
    shown = [ax.images[0].get_array().tolist() for ax in axes]
    assert shown == [[[0, 0, 1], [1, 0, 0]], matrix.tolist(), [[4, 5], [0, 1]]]
    assert ticks(axes[0].yaxis) == ["sea → 2", "red → 0"]
    assert [frame.get_xy() for frame in axes[1].patches] == [(-0.5, 1.5), (-0.5, -0.5)]
    assert [ax.get_title() for ax in axes] == ["one-hot rows (2, 3)", "× matrix (3, 2)", "= (2, 2)"]


def test_window_answers_mark_the_largest(ax: Axes) -> None:
    network_plots.window_answers(["red", "sea", ""], [0.25, -1.0], 2, ax)
    assert widths(ax) == [0.25, -1.0]
    assert ticks(ax.yaxis) == ["red sea", "sea ·"]
    assert to_hex(ax.patches[0].get_facecolor()).upper() == plots.COLOURS[1]
    assert texts(ax) == ["0.25", "-1.00"]


def test_joined_vectors_name_the_positions_of_each_part(ax: Axes) -> None:
    network_plots.joined_vectors(
        {"id": np.array([1.0, 2.0]), "age": np.array([[3.0, 4.0, 5.0]])}, ax
    )
    assert_allclose(ax.images[0].get_array(), [[1, 2, 3, 4, 5]])
    assert texts(ax) == ["id\n0–1", "age\n2–4"]
    assert widths(ax) == [2, 3]


def test_dot_product_ends_at_its_value(ax: Axes) -> None:
    left, right = np.array([1.0, 2.0, 3.0]), np.array([4.0, -1.0, 0.5])
    network_plots.dot_product(left, right, ax)
    assert heights(ax) == [4, -2, 1.5]
    assert_allclose(line(ax, "running total")[:, 1], [4, 2, 3.5])
    assert texts(ax) == ["3.500"]


def test_a_noise_floor_is_drawn_where_it_is_known(small_world: Simulation) -> None:
    table = pd.DataFrame({"value": [0.3], "low": [0.2], "high": [0.5]}, ["a"])
    drawn = [
        plots.intervals(table, Figure().subplots(), "RMSE", truth=truth)
        for truth in (small_world.truth, None)
    ]
    assert legend(drawn[0]) == ["noise floor"]
    assert drawn[1].get_legend() is None


def test_a_heat_map_of_zeros_or_of_nothing_is_drawn_without_a_warning() -> None:
    for values in (np.zeros((1, 1)), np.zeros((0, 0))):
        plots.heatmap(values, Figure().subplots(), label="stars")


def test_towers_draw_every_operation_every_arrow_and_the_parameters_of_their_layers(
    small_features: Features,
) -> None:
    from movierec.network.towers import TwoTower  # here: the other tests need no TensorFlow

    model, written = TwoTower(small_features, NetworkConfig(), seed=0), []
    for built in (model.user_tower, model.movie_tower):
        figure = Figure(figsize=network_plots.tower_size(built), layout="constrained")
        ax = network_plots.tower(built, figure.subplots())
        boxes = [text for text in ax.texts if text.get_text()]
        assert len(ax.patches) == len(boxes) == len(built.operations)
        assert len(ax.texts) - len(boxes) >= len(built.operations) - len(built.inputs)  # arrows
        lines = [text.get_text().splitlines() for text in boxes]
        written += [int(last.replace(",", "")) for *_, last in lines if "(" not in last]
        figure.draw_without_rendering()
        for text, box in zip(boxes, ax.patches, strict=True):
            assert text.get_window_extent().height < box.get_window_extent().height
    assert sum(written) == model.count_params()
