"""The registered model as MLflow serves it: read as code, beside the sealed model folder.

``mlflow.pyfunc.load_model("models:/<station>@champion").predict(images)`` gives a data frame with
one row an image: ``pred_score`` (raw units), ``pred_label`` (1 where the score is at or above the
threshold), ``image_threshold``; with ``params={"maps": True}`` also ``anomaly_map``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

Image = np.ndarray[Any, Any]


class ServedDetector(PythonModel):
    """An exported detector with its calibration."""

    def load_context(self, context: Any) -> None:
        """Open the model folder; a changed byte, or no calibration, is an error."""
        from components.errors import SealError
        from components.predict import ExportedModel

        folder = Path(context.artifacts["model"])
        self.model = ExportedModel(folder)
        if self.model.calibration is None:
            raise SealError("E174", f"{folder} has no calibration.json.", "Calibrate, then seal.")
        self.threshold = self.model.calibration.image_threshold

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> Any:
        """Score images: uint8 or uint16, HxW or HxWx3; one array or a sequence of arrays.

        (MLflow warns at any annotation wider than ndarray; it passes sequences all the same.)
        """
        import pandas as pd

        del context
        scores, maps = self.model.predict(as_images(model_input))
        exact = np.asarray(scores, dtype=np.float64)
        columns: dict[str, Any] = {
            "pred_score": exact,
            "pred_label": (exact >= self.threshold).astype(int),
            "image_threshold": self.threshold,
        }
        if params and params.get("maps"):
            columns["anomaly_map"] = list(maps)
        return pd.DataFrame(columns)


def as_images(value: Image | Sequence[Image]) -> list[Image]:
    """Return the images of one array (HxW, HxWx3, NxHxW or NxHxWx3) or of a sequence of arrays.

    Raises:
        ValueError: anything else, and pixels that are neither uint8 nor uint16.
    """
    if isinstance(value, np.ndarray):
        single = value.ndim == 2 or (value.ndim == 3 and value.shape[-1] == 3)
        images = [value] if single else list(value)
    else:
        images = [np.asarray(image) for image in value]
    for image in images:
        sound = image.ndim == 2 or (image.ndim == 3 and image.shape[-1] == 3)
        if not sound or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"An image is uint8 or uint16, HxW or HxWx3; got {image.dtype} {image.shape}."
            )
    return images


set_model(ServedDetector())
