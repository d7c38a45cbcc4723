"""The network is the documented one: its shapes, its parameters, its padding, its first values."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from movierec.data.features import Features, Sizes
from movierec.lessons.shapes import compare, derive
from movierec.network.settings import NetworkConfig
from movierec.network.towers import (
    FullWidthConv2D,
    TwoTower,
    all_vectors,
    movie_tower,
    user_tower,
)

ML_1M = Sizes(6041, 2, 7, 21, 3953, 19, 5217, 18, 15)
ML_100K = Sizes(944, 2, 7, 21, 1683, 20, 2500, 19, 15)
CSV_SET = Sizes(611, 0, 0, 0, 9743, 20, 8000, 19, 15)
SMALL = Sizes(5, 2, 7, 21, 6, 4, 9, 3, 6)

# the document's table (section 2 of the specification), B the batch size
DOCUMENTED = {
    "uid_embed_layer": (("B", 1, 32), 193_312),
    "gender_embed_layer": (("B", 1, 16), 32),
    "age_embed_layer": (("B", 1, 16), 112),
    "job_embed_layer": (("B", 1, 16), 336),
    "uid_fc_layer": (("B", 1, 32), 1_056),
    "gender_fc_layer": (("B", 1, 32), 544),
    "age_fc_layer": (("B", 1, 32), 544),
    "job_fc_layer": (("B", 1, 32), 544),
    "user_combine_layer": (("B", 1, 128), 0),
    "user_combine_fc_layer": (("B", 1, 200), 25_800),
    "user_combine_layer_flat": (("B", 200), 0),
    "movie_id_embed_layer": (("B", 1, 32), 126_496),
    "movie_categories_embed_layer": (("B", 18, 32), 608),
    "movie_categories_sum_layer": (("B", 1, 32), 0),
    "movie_title_embed_layer": (("B", 15, 32), 166_944),
    "movie_title_embed_layer_expand": (("B", 15, 32, 1), 0),
    "conv_layer_2": (("B", 14, 1, 8), 520),
    "conv_layer_3": (("B", 13, 1, 8), 776),
    "conv_layer_4": (("B", 12, 1, 8), 1_032),
    "conv_layer_5": (("B", 11, 1, 8), 1_288),
    "relu_layer_2": (("B", 14, 1, 8), 0),
    "relu_layer_3": (("B", 13, 1, 8), 0),
    "relu_layer_4": (("B", 12, 1, 8), 0),
    "relu_layer_5": (("B", 11, 1, 8), 0),
    **{f"maxpool_layer_{window}": (("B", 1, 1, 8), 0) for window in (2, 3, 4, 5)},
    "pool_layer": (("B", 1, 1, 32), 0),
    "pool_layer_flat": (("B", 1, 32), 0),
    "dropout_layer": (("B", 1, 32), 0),
    "movie_id_fc_layer": (("B", 1, 32), 1_056),
    "movie_categories_fc_layer": (("B", 1, 32), 1_056),
    "movie_combine_layer": (("B", 1, 96), 0),
    "movie_combine_fc_layer": (("B", 1, 200), 19_400),
    "movie_combine_layer_flat": (("B", 200), 0),
}

NETWORKS = {
    "ml-1m": (ML_1M, NetworkConfig()),
    "ml-1m, padding kept": (ML_1M, NetworkConfig(mask_padding=False)),
    "ml-100k": (ML_100K, NetworkConfig()),
    "without demographics": (CSV_SET, NetworkConfig()),
    "other windows": (ML_1M, NetworkConfig(windows=(1, 3, 7), filters=5)),
    "one window": (SMALL, NetworkConfig(windows=(2,))),
    "window as long as the title": (SMALL, NetworkConfig(windows=(6,))),
    "other widths": (SMALL, NetworkConfig(embed_dim=12, side_dim=3, vector_dim=7)),
}


@pytest.fixture(scope="module")
def towers_1m() -> tuple[keras.Model, keras.Model]:
    return user_tower(ML_1M, NetworkConfig(), 0), movie_tower(ML_1M, NetworkConfig(), 1)


def fields(sizes: Sizes, rng: np.random.Generator, films: int) -> dict[str, np.ndarray]:
    """Some films: genres and titles of every length, padded at the end."""
    genres = rng.integers(1, sizes.genres, (films, sizes.genre_slots))
    genres[np.arange(sizes.genre_slots) >= rng.integers(1, sizes.genre_slots + 1, (films, 1))] = 0
    title = rng.integers(1, sizes.words, (films, sizes.title_length))
    title[np.arange(sizes.title_length) >= np.arange(films)[:, None] % sizes.title_length] = 0
    movie_id = rng.integers(1, sizes.movies, (films, 1))
    return {
        name: table.astype(np.int32)
        for name, table in {"movie_id": movie_id, "genres": genres, "title": title}.items()
    }


# --- shapes and parameters -----------------------------------------------------------------------


def test_derived_layers_are_those_of_the_document():
    derived = derive(ML_1M, NetworkConfig(mask_padding=False))
    found = {layer.layer: (layer.shape, layer.parameters) for layer in derived[:-1]}
    assert found == DOCUMENTED
    assert (derived[-1].tower, derived[-1].shape) == ("rating", ("B", 1))
    assert sum(layer.parameters for layer in derived) == 541_456


def test_built_layers_are_those_of_the_document(towers_1m):
    built = {layer.name: layer for tower in towers_1m for layer in tower.layers}
    for name, (shape, parameters) in DOCUMENTED.items():
        assert ("B", *built[name].output.shape[1:]) == shape, name
        assert built[name].count_params() == parameters, name
    assert sum(tower.count_params() for tower in towers_1m) == 541_456


@pytest.mark.parametrize(("sizes", "config"), NETWORKS.values(), ids=NETWORKS)
def test_every_derived_layer_is_built_so_and_no_parameter_is_left_over(sizes, config):
    derived = derive(sizes, config)
    towers = user_tower(sizes, config, 0), movie_tower(sizes, config, 1)
    table = compare(derived, *towers)
    assert len(table) == len(derived) - 1  # the rating is no layer of a tower
    assert table["equal"].all(), table[~table["equal"]]
    parameters = sum(tower.count_params() for tower in towers)
    assert parameters == sum(layer.parameters for layer in derived)


def test_comparison_shows_what_differs(towers_1m):
    wrong = derive(Sizes(6041, 2, 7, 21, 3953, 19, 5215, 18, 15), NetworkConfig())
    table = compare(wrong, *towers_1m)
    assert table.loc[~table["equal"], "layer"].tolist() == ["movie_title_embed_layer"]


def test_comparison_of_a_layer_that_is_not_built_fails(towers_1m):
    with pytest.raises(KeyError, match="conv_layer_6"):
        compare(derive(ML_1M, NetworkConfig(windows=(6,))), *towers_1m)


def test_data_without_demographics_has_a_user_tower_of_ids_alone():
    tower = user_tower(CSV_SET, NetworkConfig(), 0)
    assert [tensor.name for tensor in tower.inputs] == ["uid"]


def test_network_predicts_one_rating_a_pair(small_features):
    model = TwoTower(small_features, NetworkConfig(), 0)
    user_idx, movie_idx = np.array([1, 2, 3, 1], np.int32), np.array([4, 5, 6, 7], np.int32)
    users, movies = all_vectors(model, block=64)
    assert users.shape == (small_features.sizes.users, 200)
    assert movies.shape == (small_features.sizes.movies, 200)
    ratings = keras.ops.convert_to_numpy(model((user_idx, movie_idx)))
    assert ratings.shape == (4, 1)
    assert ratings[:, 0] == pytest.approx((users[user_idx] * movies[movie_idx]).sum(1), abs=1e-5)
    assert model.count_params() == sum(
        layer.parameters for layer in derive(small_features.sizes, NetworkConfig())
    )


def test_network_looks_up_the_features_of_the_row(small_features):
    """A vector by row number is the tower's answer to that row's own fields."""
    model = TwoTower(small_features, NetworkConfig(), 0)
    users, movies = all_vectors(model)
    row = int(small_features.users.used[7])
    own = {name: table[[row]][:, None] for name, table in small_features.user_fields.items()}
    answer = model.user_tower({"uid": np.array([[row]], np.int32), **own})
    assert keras.ops.convert_to_numpy(answer)[0] == pytest.approx(users[row], abs=1e-6)
    row = int(small_features.movies.used[7])
    own = {name: table[[row]] for name, table in small_features.movie_fields.items()}
    answer = model.movie_tower({"movie_id": np.array([[row]], np.int32), **own})
    assert keras.ops.convert_to_numpy(answer)[0] == pytest.approx(movies[row], abs=1e-6)


def test_network_works_without_demographics(plain_tables):
    features = Features.fit(plain_tables)
    users, movies = all_vectors(TwoTower(features, NetworkConfig(), 0))
    assert users.shape == (7, 200)
    assert np.isfinite(users).all()
    assert np.isfinite(movies).all()


# --- padding -------------------------------------------------------------------------------------


def vectors_with_padding(config: NetworkConfig, layer: str, value: float) -> np.ndarray:
    """Film vectors where the padding's row of an embedding is filled with a value."""
    tower = movie_tower(SMALL, config, 0)
    weights = tower.get_layer(layer).get_weights()
    weights[0][0] = value
    tower.get_layer(layer).set_weights(weights)
    return keras.ops.convert_to_numpy(tower(fields(SMALL, np.random.default_rng(0), 12)))


@pytest.mark.parametrize("layer", ["movie_categories_embed_layer", "movie_title_embed_layer"])
def test_masked_padding_changes_no_vector(layer):
    config = NetworkConfig(windows=(2, 3))
    before, after = (vectors_with_padding(config, layer, value) for value in (0.0, 5.0))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("layer", ["movie_categories_embed_layer", "movie_title_embed_layer"])
def test_documented_padding_changes_vectors(layer):
    config = NetworkConfig(windows=(2, 3), mask_padding=False)
    before, after = (vectors_with_padding(config, layer, value) for value in (0.0, 5.0))
    assert np.abs(before - after).max() > 0.01


def test_masked_padding_makes_room_without_moving_a_film():
    """More genre slots and a longer title length change no film that does not need them."""
    config = NetworkConfig(windows=(2, 3))
    wide, wider = (Sizes(5, 2, 7, 21, 6, 4, 9, slots, words) for slots, words in ((5, 9), (8, 20)))
    towers = [movie_tower(sizes, config, 0) for sizes in (wide, wider)]
    towers[1].set_weights(towers[0].get_weights())
    films = fields(SMALL, np.random.default_rng(0), 12)  # of up to 3 genres and 6 words
    answers = [
        keras.ops.convert_to_numpy(
            tower(
                {
                    "movie_id": films["movie_id"],
                    "genres": np.pad(films["genres"], ((0, 0), (0, sizes.genre_slots - 3))),
                    "title": np.pad(films["title"], ((0, 0), (0, sizes.title_length - 6))),
                }
            )
        )
        for sizes, tower in zip((wide, wider), towers, strict=True)
    ]
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)


@pytest.mark.parametrize("mask_padding", [True, False])
def test_title_without_words_has_no_feature_where_padding_is_masked(mask_padding):
    """Else the biases of the convolution would speak for the padding."""
    tower = movie_tower(SMALL, NetworkConfig(windows=(2, 3), mask_padding=mask_padding), 0)
    pooled = keras.Model(tower.inputs, tower.get_layer("pool_layer_flat").output)
    films = fields(SMALL, np.random.default_rng(0), 12)
    empty = ~films["title"].any(axis=1)
    answer = keras.ops.convert_to_numpy(pooled(films))
    assert empty.sum() == 2
    assert (answer[~empty] > 0).any(axis=(1, 2)).all()
    assert (answer[empty] == 0).all() == mask_padding


def test_order_of_the_genres_does_not_matter():
    tower = movie_tower(SMALL, NetworkConfig(windows=(2,)), 0)
    films = fields(SMALL, np.random.default_rng(1), 4)
    turned = films | {"genres": films["genres"][:, ::-1].copy()}
    assert keras.ops.convert_to_numpy(tower(turned)) == pytest.approx(
        keras.ops.convert_to_numpy(tower(films)), abs=1e-6
    )


# --- convolution, dropout, first values ----------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2, 5])
def test_convolution_is_that_of_keras(window):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 15, 32, 1)).astype(np.float32)
    quick = FullWidthConv2D(8, (window, 32), padding="valid")
    plain = keras.layers.Conv2D(8, (window, 32), padding="valid")
    quick.build(x.shape)
    plain.build(x.shape)
    plain.set_weights([rng.normal(size=weight.shape) for weight in quick.get_weights()])
    quick.set_weights(plain.get_weights())
    expected, found = (keras.ops.convert_to_numpy(layer(x)) for layer in (plain, quick))
    assert found.shape == (3, 16 - window, 1, 8)
    assert found == pytest.approx(expected, abs=1e-4)


def test_title_drops_out_in_training_only(small_features):
    model = TwoTower(small_features, NetworkConfig(), 0)
    rows = keras.ops.convert_to_tensor(small_features.movies.used[:20])
    first, second, trained, again = (
        keras.ops.convert_to_numpy(model.movie_vectors(rows, training=training))
        for training in (False, False, True, True)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, trained)
    assert not np.array_equal(trained, again)


def test_first_values_are_the_documented_ones():
    tower = movie_tower(ML_1M, NetworkConfig(embedding_range=1.0), 0)
    words = tower.get_layer("movie_title_embed_layer").get_weights()[0]
    assert words.min() < -0.99
    assert words.max() > 0.99
    assert np.abs(words).max() <= 1
    assert words.std() == pytest.approx(1 / np.sqrt(3), rel=0.02)  # uniform
    kernel, bias = tower.get_layer("conv_layer_5").get_weights()
    assert kernel.shape == (5, 32, 1, 8)
    assert np.abs(kernel).max() <= 0.2  # cut at two deviations of 0.1
    assert kernel.std() == pytest.approx(0.088, rel=0.05)
    assert bias.tolist() == pytest.approx([0.1] * 8)


def test_seed_sets_the_first_values(small_features):
    first, again, other = (
        all_vectors(TwoTower(small_features, NetworkConfig(), seed)) for seed in (3, 3, 4)
    )
    for same, different, vectors in zip(again, other, first, strict=True):
        assert np.array_equal(same, vectors)
        assert not np.array_equal(different, vectors)


def test_vectors_are_the_same_in_blocks(small_features):
    model = TwoTower(small_features, NetworkConfig(), 0)
    for whole, blocks in zip(all_vectors(model), all_vectors(model, block=37), strict=True):
        assert blocks == pytest.approx(whole, abs=1e-6)
