"""What a station's images must be: one ``params/expectations/<name>.yaml``."""

from typing import Literal

from pydantic import Field

from components.params import Params

Severity = Literal["critical", "warning"]


class Duplicates(Params):
    """The same bytes twice: across splits or labels, and within one split."""

    across: Severity = "critical"
    within: Severity = "warning"


class Decodable(Params):
    """Files that were set aside; above the share they stop the run."""

    max_rejected_share: float = Field(default=0.05, ge=0, le=1)


class Size(Params):
    """Height and width of every image, in pixels."""

    severity: Severity = "critical"
    min_px: int = Field(default=32, ge=1)
    max_px: int = Field(default=20_000, ge=1)


class Uniform(Params):
    """One value for all images: the most frequent one."""

    severity: Severity = "critical"


class Counts(Params):
    """The fewest images that fitting, tuning and judging need."""

    severity: Severity = "critical"
    min_fit_normal: int = Field(default=10, ge=1)
    min_tune_normal: int = Field(default=5, ge=1)
    min_report_normal: int = Field(default=5, ge=1)
    min_report_anomalous: int = Field(default=1, ge=0)
    min_per_defect_type: int = Field(default=3, ge=1)  # always a warning


class Masks(Params):
    """Masks of anomalous images, where the station has them: there, sized, binary, not empty."""

    required: Severity = "critical"  # severity where the station says masks: required
    optional: Severity = "warning"


class Range(Params):
    """A declared range of one statistic."""

    low: float
    high: float


class Ranges(Params):
    """Brightness and contrast (0..1) and sharpness; what is not declared is learned.

    Learned is the median of the fit set's normals ± ``deviations`` robust standard deviations
    (1.4826 · MAD), at least ``min_share`` of the median on either side.
    """

    severity: Severity = "warning"
    deviations: float = Field(default=6.0, gt=0)
    min_share: float = Field(default=0.25, ge=0)
    brightness: Range | None = None
    contrast: Range | None = None
    sharpness: Range | None = None


class Leakage(Params):
    """What must not meet across fit, tune and report."""

    severity: Severity = "critical"
    near_duplicates_within: Severity = "warning"


class Suite(Params):
    """All expectations of a station."""

    duplicates: Duplicates = Duplicates()
    decodable: Decodable = Decodable()
    size: Size = Size()
    channels: Uniform = Uniform()
    bit_depth: Uniform = Uniform()
    counts: Counts = Counts()
    masks: Masks = Masks()
    ranges: Ranges = Ranges()
    leakage: Leakage = Leakage()
