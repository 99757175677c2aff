"""What scoring found, as it is printed and as JSON."""

from components.records import Record


class DefectFigures(Record):
    """One defect type against all normal images."""

    num_images: int
    num_regions: int
    image_auroc: float | None


class ScoreReport(Record):
    """Figures of a set of maps, each 0..1; None where the set leaves one undefined (see notes)."""

    layout: str
    why: str  # how the layout was told
    num_images: int
    num_normal: int
    num_anomalous: int
    num_regions: int  # defect instances, or components where masks are one an image
    num_resized: int  # maps brought to the size of their ground truth
    streamed: bool  # read one at a time, figures within 1e-4
    image_score: str = "maximum of the map as stored"
    auspro: dict[str, float | None]  # limit ("0.05") → value
    aupro: dict[str, float | None]
    pixel_auroc: float | None
    pixel_ap: float | None
    pixel_f1_max: float | None
    image_auroc: float | None
    image_ap: float | None
    image_f1_max: float | None
    tpr_at_tnr: dict[str, float | None]  # rate ("0.95") → value
    by_defect: dict[str, DefectFigures]
    notes: tuple[str, ...] = ()
