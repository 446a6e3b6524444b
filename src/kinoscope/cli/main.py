"""The command line: a dict of the public verbs, parsed by cyclopts, their results printed."""

from __future__ import annotations

import inspect
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from kinoscope import __version__
from kinoscope.api.analyze import analyze
from kinoscope.api.bench import bench
from kinoscope.api.classify import ClassifyResult, classify
from kinoscope.api.convert import convert
from kinoscope.api.deprecations import rename_options
from kinoscope.api.detect import DetectResult, detect
from kinoscope.api.enroll import EnrollResult, enroll, gallery
from kinoscope.api.evaluate import EvaluateResult, evaluate
from kinoscope.api.explain import ExplainResult, explain
from kinoscope.api.generate import GenerateResult, generate
from kinoscope.api.library import library
from kinoscope.api.lipsync import LipSyncResult, lipsync
from kinoscope.api.models import models
from kinoscope.api.predict import PredictResult, predict
from kinoscope.api.recognize import RecognizeResult, recognize
from kinoscope.api.search import SearchResult, search
from kinoscope.api.sync import SyncResult, sync
from kinoscope.api.train import TrainResult, train
from kinoscope.api.train_help import ABOUT, help_of
from kinoscope.api.train_segments import TrainSegmentsResult
from kinoscope.api.train_sync import TrainSyncResult
from kinoscope.api.watch import WatchResult, watch
from kinoscope.core.addresses import mask
from kinoscope.core.errors import KinoscopeError, UnexpectedError, wrap_error
from kinoscope.core.launcher import current_launch
from kinoscope.core.terminal import EscapingStream
from kinoscope.core.validation import pluralize, suggest
from kinoscope.pipeline.analysis import Analysis

if TYPE_CHECKING:
    from cyclopts import CycloptsError

    from kinoscope.training.classification.state import ClassificationRun
    from kinoscope.training.trainer import TrainingRun

COMMANDS: dict[str, Callable[..., Any]] = {
    "analyze": analyze,
    "classify": classify,
    "convert": convert,
    "detect": detect,
    "enroll": enroll,
    "evaluate": evaluate,
    "explain": explain,
    "gallery": gallery,
    "generate": generate,
    "library": library,
    "lipsync": lipsync,
    "predict": predict,
    "recognize": recognize,
    "search": search,
    "sync": sync,
    "train": train,
    "watch": watch,
    "models": models,
    "bench": bench,
}

SHORT_OPTIONS = {"-o": "--out", "-n": "--n"}
"""Short for long options."""

HELP = """kinoscope reads a video once and reports what is in it.

Every command also takes **--json** (the result as one JSON object on standard output), **--quiet** (no progress)
and **--debug** (the traceback of an error).
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit status: 0 done, 1 a task failed or was cut short, 2 unusable input."""
    try:
        for one in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(one) is not signal.SIG_IGN:
                signal.signal(one, signal.default_int_handler)
        status = _begin(list(sys.argv[1:] if arguments is None else arguments))
        _ignore_interrupts()
    except KeyboardInterrupt as error:
        _ignore_interrupts()
        status = _fail(str(error) or "interrupted", 1)
    sys.exit(status)


def _ignore_interrupts() -> None:
    """Ignore SIGINT while the process ends; SIGTERM still stops it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _begin(arguments: list[str]) -> int:
    sys.stdout, sys.stderr = _visible(sys.stdout), _visible(sys.stderr)
    words, as_json, debug = _split_flags(arguments)
    sys.excepthook = _report_error
    if debug:
        _log_all()
    return _run(words, as_json, debug)


def _report_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback without the secrets of addresses in it."""
    print(mask("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


class _Formatter(logging.Formatter):
    """Formats what is logged without the secrets of addresses in it."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def _log_all() -> None:
    """Log what goes on in kinoscope, and warnings of everything else, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("kinoscope").setLevel(logging.DEBUG)


def _visible(stream: Any) -> Any:
    """Return a stream that shows the control characters of names, labels and messages instead of obeying them.

    What its encoding does not have, such as a smiley in cp1252, is written out as well.
    """
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return stream if stream is None or isinstance(stream, EscapingStream) else EscapingStream(stream)


def _split_flags(words: list[str]) -> tuple[list[str], bool, bool]:
    """Take out the flags that every command has."""
    as_json, debug = "--json" in words, "--debug" in words
    kept = rename_options(
        [SHORT_OPTIONS.get(word, word) for word in words if word not in ("--json", "--debug", "--quiet")]
    )
    # A JSON result stands alone, so the progress goes too.
    if ("--quiet" in words or as_json) and _shows_progress(words[0]):
        kept = [*kept, "--quiet"]
    return kept, as_json, debug


def _shows_progress(verb: str) -> bool:
    return verb in COMMANDS and "quiet" in inspect.signature(COMMANDS[verb]).parameters


def _run(words: list[str], as_json: bool, debug: bool) -> int:
    from cyclopts import App, CycloptsError, Parameter

    # A list of names is split at commas by the verb itself, so it needs no way to be emptied.
    plain = Parameter(negative_iterable=())
    # An interruption is ours to tell of.
    app = App(
        name="kinoscope",
        version=__version__,
        help=HELP,
        result_action="return_value",
        default_parameter=plain,
        suppress_keyboard_interrupt=False,
    )
    for name, verb in COMMANDS.items():
        app.command(verb, name=name, help=_help(name, words))
    try:
        result = app(words, exit_on_error=False, print_error=False)
        return max(_show(words, result, as_json), _status(result))
    except CycloptsError as error:
        return _fail(f"{_plainly(error)}; {_more_help(words)}", 2)
    except KinoscopeError as error:
        if debug:
            raise
        return _fail(str(error), error.status)
    except BrokenPipeError:
        _drop_output()
        return 0
    except Exception as error:
        if debug:
            raise
        return _fail(str(wrap_error(error, words[0] if words else "kinoscope")), UnexpectedError.status)


def _plainly(error: CycloptsError) -> str:
    """Return what is wrong with what was typed, in one line without a full stop at its end."""
    from cyclopts import MissingArgumentError, UnknownCommandError

    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        name = error.unused_tokens[0]
        return f"there is no command {name!r}; {suggest(name, COMMANDS)}known: {', '.join(COMMANDS)}"
    if isinstance(error, MissingArgumentError) and (missing := error.argument):
        if missing.tokens or error.keyword:
            return f"{error.keyword or missing.name} needs a value"
        name = missing.name if missing.index is None else missing.name.lstrip("-").upper()
        return f"{' '.join(error.command_chain or ())} needs {name}"
    return " ".join(str(error).split()).removesuffix(".")


def _show(words: list[str], result: Any, as_json: bool) -> int:
    """Print a result; return 1 if standard output does not take it: what was written to files is there all the same."""
    try:
        _print(words, result, as_json)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise  # whoever reads it, such as head, has seen enough
    except OSError as error:
        _drop_output()
        why = (error.strerror or str(error)).lower()
        return _fail(f"cannot print the result ({why}); what was written to files is whole", 1)
    finally:
        _report_damage(result)
    return 0


def _drop_output() -> None:
    """Let standard output lead nowhere, so that what is still held for it disturbs nobody at the end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _help(name: str, words: list[str]) -> str | None:
    """Return the help of a training that is named; None for what a verb says itself."""
    named = words[1] if name == "train" and words[:1] == ["train"] and len(words) > 1 else None
    return help_of(named) if named in ABOUT else None


def _more_help(words: list[str]) -> str:
    """Return the command that shows the help of what was typed."""
    known = words[:1] if words[:1] and words[0] in COMMANDS else []
    known += words[1:2] if known == ["train"] and words[1:] and words[1] in ABOUT else []
    return " ".join(["see kinoscope", *known, "--help"])


def _fail(message: str, status: int) -> int:
    _warn(message)
    return status


def _warn(message: object) -> None:
    """Print a message as one line, even where a file's name has several, without the secrets of addresses in it."""
    line = mask(str(message)).replace("\n", "\\n")
    with suppress(OSError):
        print(f"kinoscope: {line}", file=sys.stderr)


def _report_damage(result: Any) -> None:
    """Print one line for each source that was not read as a whole."""
    from kinoscope.views.console.analysis import damage_summary

    for row in result if isinstance(result, list) else ():
        timeline = getattr(row, "timeline", None)
        if timeline is not None and (line := damage_summary(timeline)):
            _warn(line)


def _status(result: Any) -> int:
    rows = result if isinstance(result, list) else [result]
    return max((getattr(row, "status", 0) for row in rows if not isinstance(row, dict)), default=0)


def _print(words: list[str], result: Any, as_json: bool) -> None:
    if result is None or (
        words[0] == "train" and current_launch().rank > 0
    ):  # of several processes, the first one prints
        return
    if as_json:
        print(json.dumps(_plain(words[0], result), allow_nan=False))
    elif words[0] == "models":
        _print_models(result, full="show" in words)
    else:
        PRINTERS[words[0]](result)


def _plain(verb: str, result: Any) -> dict[str, Any]:
    if verb == "analyze":
        return {"analyses": [analysis.to_dict() for analysis in result]}
    if isinstance(result, list):
        return {verb: [_plain_row(row) for row in result]}
    plain: dict[str, Any] = result.to_dict() if hasattr(result, "to_dict") else result
    return plain


def _plain_row(row: Any) -> Any:
    if hasattr(row, "to_dict"):
        return row.to_dict()
    return row if isinstance(row, dict) else str(row)


def _print_analyses(analyses: Sequence[Analysis]) -> None:
    for analysis in analyses:
        _print_analysis(analysis)


def _print_analysis(analysis: Analysis) -> None:
    from kinoscope.views.console.analysis import print_summary

    if analysis.error:
        _warn(analysis.error)
    if analysis.timeline:
        print_summary(analysis.timeline)
        already = " (done before)" if analysis.resumed else ""
        print(f"{analysis.source}: {analysis.seconds:.1f} s{already}")
    if analysis.kept:
        print(f"  {KEPT[analysis.kept]}")
    for note in analysis.notes:
        print(f"kinoscope: {note}", file=sys.stderr)
    for path in analysis.written:
        print(f"  {path}")


KEPT = {
    "added": "added to the library",
    "changed": "its findings in the library were renewed",
    "moved": "in the library already, now at this path",
    "same": "in the library already",
}


def _print_models(rows: list[dict[str, Any]], full: bool) -> None:
    from rich.table import Table

    from kinoscope.views.console.data_console import DataConsole

    columns = list(rows[0]) if full else ["name", "task", "licence", "weights"]
    columns += ["verified"] if "verified" in rows[0] else []
    table = Table(*columns) if not full else Table("", *(row["name"] for row in rows))
    if full:
        for column in table.columns:
            column.overflow = "fold"  # of an address or a hash that is cut off, nobody has any use
        for name in columns[1:]:
            table.add_row(name, *(_cell(row[name]) for row in rows))
    else:
        for row in rows:
            table.add_row(*(_verified(row) if column == "verified" else str(row[column]) for column in columns))
    DataConsole().print(table)
    if "verified" in rows[0]:
        print(_checked(rows))


def _verified(row: dict[str, Any]) -> str:
    return pluralize(row["verified"], "file") if row["verified"] else "not here"


def _checked(rows: list[dict[str, Any]]) -> str:
    """Return in a line what a check of the models found."""
    here = [row["verified"] for row in rows if row["verified"]]
    renewed = [row["name"] for row in rows if row["renewed"]]
    altered = f"{', '.join(renewed)} {'was' if len(renewed) == 1 else 'were'} altered, and fetched anew"
    found = f"{pluralize(sum(here), 'file')} of {pluralize(len(here), 'model')} verified"
    return f"{found}; {altered if renewed else 'none was altered'}"


def _cell(value: Any) -> str:
    """Return a fact of a model's card as people read it: a line for each part."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_cell(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)) and not all(isinstance(part, int) for part in value):
        return "\n".join(map(_cell, value))
    return "" if value is None else str(value)


def _print_classified(rows: Sequence[ClassifyResult]) -> None:
    from kinoscope.views.console.evaluation import print_classes

    for row in rows:
        if row.error:
            _warn(row.error)
        else:
            print_classes(row.source, row.top, row.segments)


def _print_evaluation(found: EvaluateResult) -> None:
    from kinoscope.views.console.evaluation import print_comparison, print_scores, print_segments

    plain = found.to_dict()
    if found.scores:
        print_scores(plain["scores"])
    if found.comparison:
        print_comparison(plain["comparison"])
    if found.segments:
        print_segments(plain)
    if found.generation:
        _print_generation(plain)
    for path in found.written:
        print(f"  {path}")


def _print_generation(plain: dict[str, Any]) -> None:
    from kinoscope.views.pages.generated import score_tables

    for title, rows in score_tables(plain)[:-1]:
        print(title)
        for name, value, beside in rows:
            print(f"  {name:<48} {value:>10}  {beside}")
    print(f"protocol {plain['generation']['protocol_hash']}: {plain['generation']['protocol_text']}")


def _print_training(training: TrainResult) -> None:
    if training.health:
        print(training.health)
    elif training.picture:
        print(training.picture)
    elif training.edges:
        _print_edges(training.edges)
    elif training.sync:
        _print_taught(training.sync)
    elif training.rounds:
        _print_rounds(training.rounds)
    elif training.run:
        _print_run(training.run)


def _print_taught(taught: TrainSyncResult) -> None:
    for name, why in taught.broken.items():
        _warn(f"{name}: {why}")
    learned, held = (f"{c} clips of {p} people" for c, p in zip(taught.clips, taught.people, strict=True))
    print(f"{learned} to learn from, {held} to score on")
    print(f"loss of each pair at the end: {', '.join(f'{loss:.2f}' for loss in taught.losses)}")
    for length, share in taught.score.items():
        print(f"{length:>4} frames: {100 * share:.1f} % found within a frame (chance 9.7 %)")
    if taught.folder:
        print(f"  kinoscope sync VIDEO --model {taught.folder}")


def _print_edges(edges: TrainSegmentsResult) -> None:
    for name, why in edges.broken.items():
        _warn(f"{name}: {why}")
    print(f"{edges.videos[0]} videos to learn from, {edges.videos[1]} to score on")
    if edges.before and edges.after:
        middle = edges.after.overlaps.index(0.5)
        for name, scores in (("thresholds", edges.before), ("learned edges", edges.after)):
            share = 100 * scores.by_overlap[middle]
            print(f"{name:>14}: mAP {100 * scores.average_map:.1f} %, {share:.1f} % at an overlap of 0.5")
    print(f"  {edges.written}")


def _print_rounds(run: TrainingRun) -> None:
    from kinoscope.api.train_registry import TASKS

    for name, why in run.broken.items():
        _warn(f"{name}: {why}")
    learned, measured = run.examples
    beside = f", {measured} to measure on" if measured else ""
    print(f"{learned or 'endless'} examples to learn from{beside}; {run.parameters / 1e6:.2f} M parameters")
    if run.advice:
        _warn(run.advice)
    if run.folder is None:
        print("dry run: all fits")
        return
    for path in run.written:
        print(f"  {path}")
    print(f"  {TASKS[run.task].then.format(run.folder)}")


def _print_generated(made: GenerateResult) -> None:
    speed = made.clips * made.frames / max(made.seconds, 1e-9)
    told = f"{made.clips} clips of {made.frames} pictures in {made.seconds:.1f} s"
    print(f"{told} ({speed:.0f} pictures a second, {made.runtime})")
    if made.psnr is not None:
        print(f"the real clip is made again at {made.psnr:.1f} dB")
    print("each file says in its metadata that it was generated")
    for path in made.written[-5:] if len(made.written) > 8 else made.written:
        print(f"  {path}")


def _print_dubbed(done: LipSyncResult) -> None:
    for note in done.notes:
        _warn(note)
    print(f"{done.painted} of {done.frames} pictures painted in {done.seconds:.1f} s; metadata says it was generated")
    print(f"  {done.path}")


def _print_predicted(done: PredictResult) -> None:
    for note in done.notes:
        _warn(note)
    print(f"{done.frames} frames told from the last {done.read}, {done.rate:g} a second")
    print("each file says in its metadata that it was generated")
    print(f"  {done.path}")


def _print_run(run: ClassificationRun) -> None:
    from kinoscope.api.train import describe
    from kinoscope.views.console.evaluation import print_scores

    every, learned = (f"{count / 1e6:.2f} M" for count in run.parameters)
    print(f"{run.clips[0]} clips to learn from, {run.clips[1]} to validate; {every} parameters, {learned} learned")
    print(f"{run.speed:.1f} clips a second, {100 * run.waiting:.1f} % of the time waiting for data")
    if run.broken:
        print(f"{len(run.broken)} clips cannot be read, such as {next(iter(run.broken.items()))}")
    if run.folder is None:
        print(f"dry run, {run.steps} steps an epoch: {describe(run.rows[-1], run.options.epochs)}")
        return
    print(f"epoch {run.best} of {len(run.rows)} is kept in {run.folder}")
    if run.scores:
        print_scores(run.scores.to_dict())
    for words in ("classify CLIP --model", "analyze VIDEO --model", "evaluate", "explain"):
        print(
            f"  kinoscope {words} {run.folder}" + (" CLIPS" * (words == "evaluate")) + (" CLIP" * (words == "explain"))
        )


def _print_explained(done: ExplainResult) -> None:
    from kinoscope.views.console.evaluation import print_explanation

    print_explanation(done.to_dict())
    for path in done.written:
        print(f"  {path}")


def _print_bench(result: dict[str, Any]) -> None:
    for key, value in result.items():
        if key != "where":
            print(f"{key:>10}  {value}")
    for part, seconds in sorted(result.get("where", {}).items(), key=lambda pair: -pair[1]):
        print(f"{seconds:10.2f}  CPU s  {part}")


def _print_enrolled(done: EnrollResult) -> None:
    count = pluralize(len(done.looks), "look")
    already = f" ({done.already} {'was' if done.already == 1 else 'were'} there already)" if done.already else ""
    print(f"{done.gallery}: {done.name} got {count} of kind {done.kind}{already}")
    for note in done.notes:
        _warn(note)


def _print_gallery(told: dict[str, Any]) -> None:
    from kinoscope.views.console.gallery import print_gallery_check, print_names

    if "names" in told:
        print_names(told["names"])
    elif "default" in told:
        print_gallery_check(told)
    elif "renamed" in told:
        print(f"{told['renamed']} is now {told['to']} ({told['looks']} looks)")
    elif "removed" in told:
        print(f"forgot {', '.join(told['removed'])} ({told['looks']} looks)")
    for path in told.get("written", ()):
        print(f"  {path}")


def _print_library(told: dict[str, Any]) -> None:
    from kinoscope.views.console.library import print_library_check, print_name_counts, print_video, print_videos

    if "videos" in told:
        print_videos(told["videos"])
    elif "names" in told:
        print_name_counts(told["names"])
    elif "rows" in told:
        print_library_check(told)
    for row in told.get("shown", ()):
        print_video(row)
    for row in told.get("removed", ()):
        print(f"forgot {row['path']}")


def _print_found(found: SearchResult) -> None:
    from kinoscope.views.pages.search import print_search_results

    for note in found.notes:
        _warn(note)
    print_search_results(found.to_dict())
    for path in found.written:
        print(f"  {path}")


def _print_recognized(rows: Sequence[RecognizeResult]) -> None:
    from kinoscope.views.console.gallery import print_recognition

    for row in rows:
        if row.error:
            _warn(row.error)
        else:
            print_recognition(row.to_dict())


def _print_detected(rows: Sequence[DetectResult]) -> None:
    from kinoscope.views.console.detection import print_detections

    for row in rows:
        if row.error:
            _warn(row.error)
        else:
            print_detections(row.to_dict())
        for path in row.written:
            print(f"  {path}")


def _print_synced(rows: Sequence[SyncResult]) -> None:
    from kinoscope.views.console.sync import print_sync

    for row in rows:
        if row.timeline:
            print_sync(row.to_dict())
        if row.error:
            _warn(row.error)
        if row.left_out:
            _warn(f"{row.fixed} is without {', '.join(row.left_out)}: name one that ends in .mkv")
        for path in row.written:
            print(f"  {path}")


def _print_watched(done: WatchResult) -> None:
    """Tell how the watch went; the alerts themselves have been printed as they came."""
    plain = done.to_dict()
    print(pluralize(done.alerts, "alert"), file=sys.stderr)
    for what, delays in (("a look", plain["looks"]), ("an alert", plain["delays"])):
        if delays["count"]:
            print(f"from picture to {what}: {delays['p50']} s (p50), {delays['p95']} s (p95)", file=sys.stderr)
    read, reconnects = pluralize(plain["frames"], "frame"), pluralize(plain["reconnects"], "reconnect")
    print(f"{read}, {plain['dropped']} dropped, {reconnects}, at most {plain['memory_mb']} MB", file=sys.stderr)
    if done.undelivered or done.delivered:
        print(f"{pluralize(done.delivered, 'alert')} delivered, {done.undelivered} not", file=sys.stderr)
    if done.clips:
        print(pluralize(done.clips, "clip"), file=sys.stderr)
    reasons = [f"{name} {one.status}: {one.reason}" for name, one in done.timeline.tasks.items() if one.reason]
    lost = done.timeline.decode.errors
    for reason in reasons + (lost if done.status else [line for line in lost if line.endswith("reconnected")]):
        _warn(reason)


PRINTERS: dict[str, Callable[[Any], None]] = {
    "analyze": _print_analyses,
    "classify": _print_classified,
    "convert": lambda paths: print(*paths, sep="\n"),
    "detect": _print_detected,
    "enroll": _print_enrolled,
    "evaluate": _print_evaluation,
    "gallery": _print_gallery,
    "generate": _print_generated,
    "library": _print_library,
    "lipsync": _print_dubbed,
    "predict": _print_predicted,
    "recognize": _print_recognized,
    "search": _print_found,
    "sync": _print_synced,
    "train": _print_training,
    "watch": _print_watched,
    "bench": _print_bench,
    "explain": _print_explained,
}
"""How the result of each verb is shown to a person."""
