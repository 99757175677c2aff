"""Generative figures as records that name the extractor they were measured with."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from components.errors import DataError
from components.metrics.generative.frechet import frechet_distance
from components.metrics.generative.nearest import nearest_distances
from components.metrics.seeds import Spread
from components.records import MetricResult


def feature_figures(
    features: ArrayLike, train_features: ArrayLike, extractor: str
) -> tuple[MetricResult, ...]:
    """Return ``frechet_distance`` and ``distance_to_train`` of N images (NxD against MxD).

    The second is Euclidean in feature space; its LPIPS form is ``distance_to_train`` of a matrix.

    Raises:
        DataError: E207 features that cannot be compared, or an extractor without a name.
    """
    nearest = nearest_distances(features, train_features)
    values = {
        "frechet_distance": frechet_distance(features, train_features),
        "distance_to_train": float(np.mean(nearest)),
    }
    return named(values, extractor, len(nearest))


def named(
    values: Mapping[str, float | Spread | None], extractor: str, num_images: int
) -> tuple[MetricResult, ...]:
    """Return figures sliced by their extractor, so that no table sets two of them side by side.

    Raises:
        DataError: E207 an extractor without a name.
    """
    if not extractor.strip():
        raise DataError("E207", "A generative figure without the name of its extractor.")
    return tuple(
        MetricResult(
            name=name,
            value=value.mean if isinstance(value, Spread) else value,
            std=value.std if isinstance(value, Spread) and value.n > 1 else None,
            num_images=num_images,
            slice={"extractor": extractor},
            note="" if value is not None else "undefined",
        )
        for name, value in values.items()
    )
