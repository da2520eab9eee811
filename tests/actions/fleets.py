"""Fleets to render the workflows for, with pins that are none of a real action's."""

from __future__ import annotations

from pipeline.github.workflows import Fleet, Pin

CHECKOUT = "actions/checkout"
CACHE = "actions/cache"
VIRTUAL_MACHINE = "cross-platform-actions/action"
NEEDED = (CHECKOUT, "actions/download-artifact", "actions/setup-python", "actions/upload-artifact")
PINS = {
    name: Pin(sha=f"{number:040x}", version=f"v{number}.0.1")
    for number, name in enumerate((*NEEDED, CACHE, VIRTUAL_MACHINE), 1)
}
PROFILES = ("quick", "standard")
# All that the templates can make, and what they make without the pins that need not be there.
WHOLE = Fleet(cells=("linux-amd64", "darwin-arm64", "freebsd-amd64"), profiles=PROFILES, pins=PINS, vm=True)
PLAIN = Fleet(cells=WHOLE.cells[:2], profiles=PROFILES, pins={name: PINS[name] for name in NEEDED})
