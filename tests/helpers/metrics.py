"""What a daemon with these settings would say at /metrics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client.samples import Sample

from filterd.config.load import Settings
from filterd.daemon.exporter import DaemonCollector
from filterd.daemon.monitor import Monitor


def metrics(settings: Settings) -> list[Sample]:
    """All samples, of a daemon without stages that has one message in flight."""
    pool = SimpleNamespace(load=(2, 1, 0), deaths=0, stages=None)
    service: Any = SimpleNamespace(settings=settings, pool=pool, in_flight=1)
    collector = DaemonCollector(service, Monitor(settings, None))
    return [sample for family in collector.collect() for sample in family.samples]
