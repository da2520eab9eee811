"""``metrics.prom``: a run's figures in OpenMetrics, for whoever collects them."""

from __future__ import annotations

import math

from pipeline.report.model import RunReport


def render(report: RunReport) -> bytes:
    """Exit code, stage times, gate results and benchmark ratios."""
    from prometheus_client import CollectorRegistry, Gauge
    from prometheus_client.openmetrics.exposition import generate_latest

    registry = CollectorRegistry()
    labels = {"series": str(report.plan["series"]), "base": str(report.plan["base"])}
    names = list(labels)
    Gauge("gopatch_exit_code", "Exit code of the run.", names, registry=registry).labels(**labels).set(
        report.exit_code
    )
    stages = Gauge("gopatch_stage_seconds", "Wall time of a stage.", [*names, "stage"], registry=registry)
    for stage, seconds in report.timings.items():
        stages.labels(**labels, stage=stage).set(seconds)
    gates = Gauge(
        "gopatch_gate_results",
        "Gate results by status.",
        [*names, "cell", "gate", "status"],
        registry=registry,
    )
    ratios = Gauge(
        "gopatch_benchmark_ratio",
        "Patched over baseline, paired estimate.",
        [*names, "cell", "package", "benchmark", "unit", "verdict"],
        registry=registry,
    )
    for cell in report.cells:
        for gate in cell.gates:
            gates.labels(**labels, cell=cell.id, gate=gate.gate, status=gate.status).inc()
        for row in cell.benchmarks:
            if math.isfinite(row.ratio):
                ratios.labels(
                    **labels,
                    cell=cell.id,
                    package=row.package,
                    benchmark=row.name,
                    unit=row.unit,
                    verdict=row.verdict,
                ).set(row.ratio)
    data: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return data
