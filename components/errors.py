"""Errors meant for people: what is wrong, where, and what to do about it."""


class PipelineError(ValueError):
    """A user's mistake or a broken input, with a stable code such as ``E101``.

    The message says what failed and where; ``remedy`` says what to do.
    """

    exit_code = 1

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        self.code = code
        self.message = message
        self.remedy = remedy
        super().__init__(f"{code} {message}" + (f" {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.code, self.message, self.remedy)  # crosses process borders whole


class ParamsError(PipelineError):
    """A parameter file or override that names an unknown key or holds an invalid value."""

    exit_code = 2


class DataError(PipelineError):
    """Images, masks or manifests that cannot be used as they are."""

    exit_code = 3


class LeakError(DataError):
    """Something would make the fit, tune and report sets meet."""


class WeightsError(PipelineError):
    """Pretrained weights that are missing or are not the bytes they should be."""


class SealError(PipelineError):
    """A stored artifact whose bytes are not the ones that were recorded."""


class StoreError(PipelineError):
    """A store (MLflow, S3, DVC) that did not do what it was asked."""
