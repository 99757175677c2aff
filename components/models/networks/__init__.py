"""The torch side of the detectors: heavy, imported only where something is fitted or loaded."""

import warnings

with warnings.catch_warnings():
    # anomalib and timm warn about their own old names at import; nobody here can mend that.
    warnings.simplefilter("ignore", FutureWarning)
    from anomalib.models.components import TimmFeatureExtractor as TimmFeatureExtractor
