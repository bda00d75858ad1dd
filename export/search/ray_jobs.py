"""Run the jobs of a grid search with Ray Tune, here or on a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge_ser.errors import ConfigError, EdgeSerError, MissingExtraError
from edge_ser.export.search.grid import (
    JobResult,
    Search,
    guard_search,
    job_folder,
    load_data,
    load_search,
    read_job,
    run_job,
    search_splits,
    write_job,
)
from edge_ser.export.training.run_data import RunData

_QUIET: Final = {
    # Nothing is sent anywhere, and nothing is drawn over the progress bar.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}


def run_search(
    file: Path,
    data: Path,
    output: Path | None = None,
    *,
    cache: Path | None = None,
    address: str | None = None,
    jobs: int = 1,
    console: Console | None = None,
) -> tuple[Search, list[JobResult], Path]:
    """Train every point of a search on every fold; what is done already is read back.

    A search that was stopped goes on: finished jobs have left their result, an unfinished one
    continues from the last epoch of its checkpoint.

    Args:
        file: YAML of the search.
        data: folder with the data sets.
        output: folder of the search; None takes ``runs/NAME``.
        cache: folder of encoded tokens; None takes ``runs/cache``.
        address: of an existing Ray cluster, whose machines must see all these folders under the
            same names; None starts Ray on this machine alone, bound to the loopback address.
        jobs: trained at the same time, each with the threads of its configuration.
        console: for progress; None shows none.

    Returns:
        The search, the result of every job, and the folder.

    Raises:
        MissingExtraError: if Ray is not installed.
        ConfigError: if search, data or splits cannot be used, the cluster does not answer, or a
            job fails.
    """
    if address is None:
        # Otherwise Ray's servers listen to every network; it is read when Ray is imported.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray  # noqa: F401
        from ray import tune  # noqa: F401
    except ImportError:
        raise MissingExtraError("Grid search", "tune") from None
    search = load_search(file)
    output = (output or Path("runs") / search.config.name).absolute()
    cache = (cache or Path("runs") / "cache").absolute()
    guard_search(output, search)
    # Encoding happens once and here; the jobs find the tokens in the cache.
    loaded = load_data(search.points[0].config, data.absolute(), cache, console)
    folds = [name for name, _ in search_splits(search, loaded)]
    waiting = [
        (point.number, fold)
        for fold in folds
        for point in search.points
        if read_job(job_folder(output, point, fold)) is None
    ]
    if waiting:
        del loaded
        settings = {
            "file": str(file.absolute()),
            "data": str(data.absolute()),
            "output": str(output),
            "cache": str(cache),
        }
        threads = search.points[0].config.optimisation.threads
        total = len(folds) * len(search.points)
        with _ray(address, jobs * threads), _progress(console, total) as advance:
            advance(total - len(waiting))
            _tune(waiting, settings, output, threads, jobs, lambda: advance(1))
    found = [read_job(job_folder(output, p, fold)) for fold in folds for p in search.points]
    done = [result for result in found if result is not None]
    if len(done) < len(found):
        raise ConfigError(
            f"{len(found) - len(done)} of {len(found)} jobs failed; Ray's logs lie in "
            f"{output / 'ray'}; start the search again to try only these"
        )
    return search, done, output


def _tune(
    waiting: Sequence[tuple[int, str]],
    settings: dict[str, str],
    output: Path,
    threads: int,
    jobs: int,
    tell: Callable[[], None],
) -> None:
    from ray import tune
    from ray.tune import Callback, FailureConfig, RunConfig, TuneConfig, Tuner

    class Told(Callback):
        def __init__(self, of: Callable[[], None] | None = None) -> None:
            self.of = of

        def __getstate__(self) -> dict[str, Any]:
            # Ray writes its callbacks down, and a progress bar cannot be written.
            return {"of": None}

        def on_trial_complete(self, *_: Any, **__: Any) -> None:
            if self.of is not None:
                self.of()

    tuner = Tuner(
        tune.with_resources(_job_class(), {"cpu": threads}),
        param_space={**settings, "job": tune.grid_search([list(job) for job in waiting])},
        tune_config=TuneConfig(
            metric="recall", mode="max", reuse_actors=True, max_concurrent_trials=jobs
        ),
        run_config=RunConfig(
            name=f"ray-{int(time.time())}",
            storage_path=str(output / "ray"),
            verbose=0,
            callbacks=[Told(tell)],
            failure_config=FailureConfig(max_failures=0),
        ),
    )
    results = tuner.fit()
    each = [results[number] for number in range(len(results))]
    errors = [result.error for result in each if result.error is not None]
    for error in errors:
        cause = getattr(error, "cause", None) or error
        if isinstance(cause, EdgeSerError):
            raise cause
    if errors:
        last = str(errors[0]).strip().splitlines()[-1]
        raise ConfigError(f"{len(errors)} jobs failed, the first with: {last}")


def _job_class() -> type[Any]:
    """The trainable; made here because its base class exists only where Ray is installed."""
    from ray import tune

    class Job(tune.Trainable):
        """One point on one fold. Ray reuses the process, and with it what was loaded."""

        def setup(self, config: dict[str, Any]) -> None:
            self.search = load_search(Path(config["file"]))
            self.loaded: dict[str, RunData] = {}
            self.settings = config

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.settings = new_config
            return True

        def step(self) -> dict[str, Any]:
            number, fold = self.settings["job"]
            started = time.monotonic()
            point = self.search.points[number]
            section = point.config.data.model_dump_json()
            if section not in self.loaded:
                self.loaded[section] = load_data(
                    point.config, Path(self.settings["data"]), Path(self.settings["cache"])
                )
            loaded = self.loaded[section]
            splits = dict(search_splits(self.search, loaded))
            if fold not in splits:
                raise ConfigError(f"with {point} there is no {fold}: search the data apart")
            folder = job_folder(Path(self.settings["output"]), point, fold)
            recall = run_job(point, loaded, splits[fold], folder)
            seconds = time.monotonic() - started
            write_job(folder, JobResult(number, fold, recall, round(seconds, 2)))
            return {"recall": recall, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Nothing: the fit writes its own checkpoints."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """Nothing, likewise."""

    return Job


@contextmanager
def _ray(address: str | None, cpus: int) -> Iterator[None]:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import logging

    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        # Bound to the loopback address, servers of Ray are out of reach of other machines; the
        # constant is set again for programs that had imported Ray before.
        from ray._private import ray_constants

        ray_constants.ENABLE_RAY_CLUSTER = False
        options |= {
            "address": "local",
            "num_cpus": max(cpus, 1),
            "num_gpus": 0,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 100 * 1024 * 1024,
        }
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises a dozen kinds when a cluster does not answer
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{where} cannot be used: {reason}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _progress(console: Console | None, total: int) -> Iterator[Callable[[int], None]]:
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=console is None,
    )
    with bar:
        task = bar.add_task("search", total=total)
        yield lambda count: bar.advance(task, count)
