"""``kinoscope watch``: rules on a camera or a stream, with alerts in real time."""

from __future__ import annotations

from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device, choose_model
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.pipeline.watching import AS_IT_COMES, NO_DELIVERY, DeliveryOptions, StreamOptions, watch_source
from kinoscope.results.watch import WatchResult
from kinoscope.source.names import SourceObject, name_of


@accept_old_names
def watch(
    source: SourceObject,
    *,
    rules: str | Path,
    delivery: DeliveryOptions = NO_DELIVERY,
    stream: StreamOptions = AS_IT_COMES,
    decoding: DecodingOptions = DECODE_ALL,
    model: str | None = None,
    device: str = "auto",
    quiet: bool = False,
) -> WatchResult:
    """Watch a camera or a stream by rules, and print each alert at once, as a line of JSON on standard output.

    Args:
        source: camera:0, a URL (rtsp, http, udp...), or a file.
        rules: YAML file of rules (see examples/rules.yaml).
        delivery: where alerts are sent, and whether a clip of each is saved.
        stream: how long the source is watched, and whether it is a camera or plays like one.
        decoding: the part of a file that is read, and limits.
        model: a card of the task objects (see `kinoscope models list`); the best that can be had if not given.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: do not print the alerts.

    Returns:
        The alerts, and statistics: delays, dropped frames, reconnects, memory.

    Raises:
        RulesError, OptionError, SourceError, OutputError: an option or the source cannot be used; raised before the
            first frame is read.
    """
    card = "auto" if model is None else choose_model("objects", model.removeprefix("objects="))
    delivery.check()
    choose_device(device)
    decoding.resolve()
    name = name_of(source)
    stream.check(name)
    return watch_source(
        name, rules, delivery=delivery, stream=stream, decoding=decoding, card=card, device=device, quiet=quiet
    )
