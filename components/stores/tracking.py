"""Records of runs and versions of models: the only module that talks to MLflow.

A record is RUNNING until its artifacts are in, and FINISHED after; only finished records are ever
found again. Nothing here is read back as configuration.
"""

import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from filelock import FileLock

from components.errors import StoreError
from components.records import DataVersion
from components.stores.flatten import flatten, sound_key
from components.stores.tracked import Found, Registered, local_path, process_lives, silence_mlflow

ALIAS = "champion"
_SERVED = Path(__file__).with_name("served_model.py")
_PACKAGE = Path(__file__).parents[1]  # travels with every model, so that it loads from its own code
_REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "opencv-python-headless", "pandas", "pydantic")
_BATCH = 90  # of MLflow's limit of 100 tags or params a call


class Tracking:
    """One MLflow store. An SQLite store keeps its artifacts under ``artifact_root``."""

    def __init__(self, uri: str, artifact_root: Path) -> None:
        self._uri = uri
        self._artifact_root = artifact_root
        self._local = uri.startswith("sqlite:")
        artifact_root.mkdir(parents=True, exist_ok=True)
        if self._local:
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        silence_mlflow()
        with self._errors(), self._one_at_a_time("open"):
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            self._client.search_experiments(max_results=1)  # creates the tables

    # --- runs -----------------------------------------------------------------------------------

    def find_finished(self, experiment: str, fingerprint: str, kind: str) -> Found | None:
        """Return the newest finished run of this kind and fingerprint whose artifacts are there.

        Raises:
            StoreError: the store cannot be reached.
        """
        where = f"tags.fingerprint = '{fingerprint}' and tags.kind = '{kind}'"
        for run in self._search(experiment, f"{where} and attributes.status = 'FINISHED'"):
            found = self._found(run)
            if found.artifacts.is_dir():
                return found
        return None

    def history(self, experiment: str, kind: str, limit: int = 100) -> tuple[Found, ...]:
        """Return finished runs of a kind, newest first."""
        where = f"tags.kind = '{kind}' and attributes.status = 'FINISHED'"
        return tuple(self._found(run) for run in self._search(experiment, where, limit))

    def open_cycle(
        self, experiment: str, name: str, tags: Mapping[str, str], params: Mapping[str, object]
    ) -> str:
        """Open the parent run of a cycle; return its id.

        Raises:
            StoreError: the store cannot be reached or refuses.
        """
        with self._errors():
            run_id = self._create(experiment, name, {"kind": "cycle", **tags})
            self._log(run_id, params, {})
        return run_id

    def close_cycle(
        self,
        run_id: str,
        status: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Path | None,
    ) -> None:
        """End a cycle's run as FINISHED or FAILED; its artifacts go in first.

        Raises:
            StoreError: the store cannot be reached or refuses, or the disk is full.
        """
        self._finish(run_id, metrics=metrics, tags=tags, artifacts=artifacts, status=status)

    def record(
        self,
        experiment: str,
        *,
        name: str,
        kind: str,
        fingerprint: str,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        artifacts: Path | None,
        parent: str | None,
        data: DataVersion | None,
    ) -> str:
        """Record finished work; return the run's id.

        Args:
            experiment: the station.
            name: what people read.
            kind: what was done: ``trial``, ``fit``, ``evaluation``, …
            fingerprint: what the result depends on.
            params: nested values, flattened with dots.
            metrics: finite figures.
            tags: further marks.
            artifacts: a folder whose content is copied in.
            parent: the cycle's run.
            data: logged as the run's MLflow dataset.

        Raises:
            StoreError: the store cannot be reached or refuses, or the disk is full; the run is
                then FAILED and never found.
        """
        marks = {"kind": kind, "fingerprint": fingerprint, **tags}
        if parent:
            marks["mlflow.parentRunId"] = parent
        with self._errors():
            run_id = self._create(experiment, name, marks)
        self._finish(run_id, params=params, metrics=metrics, artifacts=artifacts, data=data)
        return run_id

    def mark_stale_running(self, experiment: str) -> int:
        """End as KILLED the runs whose process on this machine is gone; return how many."""
        stale = 0
        for run in self._search(experiment, "attributes.status = 'RUNNING'"):
            if run.data.tags.get("host") == socket.gethostname() and not process_lives(
                run.data.tags
            ):
                with self._errors():
                    self._client.set_terminated(run.info.run_id, "KILLED")
                stale += 1
        return stale

    # --- models ---------------------------------------------------------------------------------

    def register(self, station: str, model_dir: Path, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a sealed model folder and return its version, "1" for the first.

        A version whose ``model_fingerprint`` tag is the same is returned, not made again. The
        model needs no pickle: ONNX, safetensors and JSON, loaded by the code beside them.

        Raises:
            StoreError: no fingerprint, no such folder, or the store refuses.
        """
        mark = tags.get("model_fingerprint", "")
        if not mark or not model_dir.is_dir():
            raise StoreError(
                "E172",
                f"Cannot register {model_dir} for {station}: "
                + ("no such folder." if mark else "no tag model_fingerprint."),
                "Export the model first.",
            )
        with self._errors(), self._one_at_a_time(f"registry-{station}"):
            for known in self.versions(station):
                if known.tags.get("model_fingerprint") == mark:
                    return known.version
            source = self._log_model(model_dir, run_id, mark)
            if not self._client.search_registered_models(filter_string=f"name='{station}'"):
                self._client.create_registered_model(station)
            made = self._client.create_model_version(
                station, source, run_id=run_id, tags=dict(tags), await_creation_for=None
            )
        return str(made.version)

    def versions(self, station: str) -> tuple[Registered, ...]:
        """Return the registered versions, oldest first."""
        with self._errors():
            models = self._client.search_registered_models(filter_string=f"name='{station}'")
            if not models:
                return ()
            champion = str(models[0].aliases.get(ALIAS, ""))
            found = self._client.search_model_versions(f"name='{station}'")
        ordered = sorted(found, key=lambda version: int(version.version))
        return tuple(Registered.of(version, champion) for version in ordered)

    def champion(self, station: str) -> Registered | None:
        """Return the version that holds the alias, None before the first."""
        return next((v for v in self.versions(station) if v.is_champion), None)

    def set_champion(
        self, station: str, version: str, expected_current: str | None, tags: Mapping[str, str]
    ) -> None:
        """Move the alias, provided it stands where the caller saw it; moving it twice is harmless.

        Raises:
            StoreError: the alias has moved meanwhile, the version is unknown, or the store refuses.
        """
        with self._errors(), self._one_at_a_time(f"registry-{station}"):
            standing = self.champion(station)
            current = standing.version if standing else None
            if current not in (expected_current, version):
                raise StoreError(
                    "E173",
                    f"The champion of {station} is v{current}, not {expected_current}, by now.",
                    "Another run promoted meanwhile: run again to judge against it.",
                )
            for key, value in tags.items():
                self._client.set_model_version_tag(station, version, key, value)
            self._client.set_registered_model_alias(station, ALIAS, version)

    def download(self, station: str, version: str, to: Path) -> Path:
        """Copy a version's model folder to ``to``, whole or not at all; return it.

        Raises:
            StoreError: no such version, or the store cannot be reached.
        """
        from mlflow.artifacts import download_artifacts

        with self._errors():
            uri = self._client.get_model_version_download_uri(station, version)
            part = to.with_name(f".{to.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            local = local_path(uri) or Path(
                download_artifacts(artifact_uri=uri, tracking_uri=self._uri, dst_path=str(part))
            )
            model = part / "model"
            shutil.copytree(local / "artifacts/model", model, copy_function=shutil.copyfile)
            shutil.rmtree(to, ignore_errors=True)
            model.replace(to)
            shutil.rmtree(part)
        return to

    # --- inside ---------------------------------------------------------------------------------

    def _search(self, experiment: str, where: str, limit: int = 1000) -> list[Any]:
        with self._errors():
            known = self._client.get_experiment_by_name(experiment)
            if known is None:
                return []
            newest = ["attributes.start_time DESC"]
            return list(self._client.search_runs([known.experiment_id], where, 1, limit, newest))

    def _found(self, run: Any) -> Found:
        artifacts = local_path(run.info.artifact_uri)
        if artifacts is None:
            artifacts = self._artifact_root / "fetched" / run.info.run_id
            if not artifacts.is_dir():
                self._fetch(run.info.run_id, artifacts)
        return Found(
            run_id=run.info.run_id,
            name=run.info.run_name,
            artifacts=artifacts,
            tags={k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")},
            metrics=run.data.metrics,
        )

    def _fetch(self, run_id: str, to: Path) -> None:
        part = to.with_name(f".{to.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        with self._errors():
            self._client.download_artifacts(run_id, "", str(part))
        part.replace(to)

    def _create(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        own = {"pid": str(os.getpid()), "host": socket.gethostname()}
        if "git_sha" in tags:
            own["mlflow.source.git.commit"] = tags["git_sha"]
        marks = {key: str(value)[:5000] for key, value in {**own, **tags}.items()}
        run = self._client.create_run(self._experiment(experiment), tags=marks, run_name=name)
        return str(run.info.run_id)

    def _experiment(self, name: str) -> str:
        with self._one_at_a_time("experiments"):
            known = self._client.get_experiment_by_name(name)
            if known is not None:
                return str(known.experiment_id)
            where = (self._artifact_root / name).absolute().as_uri() if self._local else None
            return str(self._client.create_experiment(name, artifact_location=where))

    def _finish(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float],
        artifacts: Path | None,
        params: Mapping[str, object] = MappingProxyType({}),
        tags: Mapping[str, str] = MappingProxyType({}),
        data: DataVersion | None = None,
        status: str = "FINISHED",
    ) -> None:
        try:
            with self._errors():
                self._log(run_id, params, metrics)
                if data is not None:
                    self._client.log_inputs(run_id, datasets=[_dataset(data)])
                self._keep_artifacts(run_id, artifacts)
                for key, value in tags.items():
                    self._client.set_tag(run_id, key, value)
                self._client.set_terminated(run_id, status)
        except StoreError:
            with self._errors():
                self._client.set_terminated(run_id, "FAILED")
            raise

    def _keep_artifacts(self, run_id: str, artifacts: Path | None) -> None:
        if artifacts is not None:
            self._client.log_artifacts(run_id, str(artifacts))
        local = local_path(self._client.get_run(run_id).info.artifact_uri)
        if local is not None:  # a run without artifacts is found by its folder too
            local.mkdir(parents=True, exist_ok=True)

    def _log(self, run_id: str, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric, Param

        now = int(datetime.now(UTC).timestamp() * 1000)
        figures = [Metric(sound_key(k), float(v), now, 0) for k, v in metrics.items()]
        values = [Param(key, value) for key, value in flatten(params).items()]
        for start in range(0, max(len(values), len(figures)), _BATCH):
            chosen = slice(start, start + _BATCH)
            self._client.log_batch(run_id, metrics=figures[chosen], params=values[chosen])

    def _log_model(self, model_dir: Path, run_id: str, mark: str) -> str:
        """Write the served model under the run's artifacts; return where it lies."""
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ParamSchema, ParamSpec

        folder = f"model-{mark[:16]}"
        with tempfile.TemporaryDirectory(dir=self._artifact_root) as scratch:
            named = Path(scratch) / "model"
            shutil.copytree(model_dir, named, copy_function=shutil.copyfile)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # inputs are arrays of any size: no input schema
                mlflow.pyfunc.save_model(
                    path=f"{scratch}/saved",
                    python_model=str(_SERVED),
                    artifacts={"model": str(named)},
                    code_paths=[str(_PACKAGE)],
                    signature=ModelSignature(
                        params=ParamSchema([ParamSpec("maps", "boolean", default=False)])
                    ),
                    pip_requirements=[f"{n}=={metadata.version(n)}" for n in _REQUIREMENTS],
                )
            self._client.log_artifacts(run_id, f"{scratch}/saved", folder)
        return f"{self._client.get_run(run_id).info.artifact_uri}/{folder}"

    @contextmanager
    def _one_at_a_time(self, what: str) -> Iterator[None]:
        with FileLock(self._artifact_root / f".{what}.lock"):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """MLflow's errors and a full disk leave as ours."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            raise StoreError(
                "E170", f"MLflow at {self._uri}: {error.message}", "Check MLFLOW_TRACKING_URI."
            ) from error
        except OSError as error:
            raise StoreError(
                "E171",
                f"Artifacts under {self._artifact_root}: {error}",
                "Free some space or mend the permissions, then run again: nothing is lost.",
            ) from error


def _dataset(data: DataVersion) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = f'{{"stage": "{data.stage}@{data.station}", "git_sha": "{data.git_sha}"}}'
    entity = Dataset(
        name=f"{data.station}/{data.stage}",
        digest=data.content_hash[:36],
        source_type="dvc",
        source=source,
    )
    return DatasetInput(entity, [InputTag("mlflow.data.context", data.stage)])
