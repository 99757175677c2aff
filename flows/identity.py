"""What a whole run is known by. Light, so that a run with nothing to do finds out at once."""

from components.identity import fingerprint
from components.models.backbones import BackboneName, weights_digest
from components.station import StationConfig


def cycle_fingerprint(config: StationConfig, profile: str, data_hashes: tuple[str, ...]) -> str:
    """Return the run's fingerprint: where it is known, there is nothing to do."""
    return fingerprint(
        "cycle",
        config=config.model_dump(mode="json"),
        profile=profile,
        data=list(data_hashes),
        weights=weights_in_play(config),
    )


def weights_in_play(config: StationConfig) -> dict[str, str]:
    """Return the sha256 of every backbone that the run may use."""
    names: set[BackboneName] = {
        *config.station.search.backbones,
        *(m.detector.backbone for m in config.models.values()),
    }
    return {name: weights_digest(name, "pretrained") for name in sorted(names)}
