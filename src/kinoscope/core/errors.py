"""The exception hierarchy.

    KinoscopeError                 base class
    ├── OptionError                an option has an invalid value
    ├── SourceError                an input cannot be opened or contains nothing to read
    │   └── DecodeError            a frame is corrupt and the policy is ``raise``
    ├── DatasetError               training clips are missing or invalid
    ├── ModelError                 a model cannot be used
    │   ├── WeightsMissing         its weights are in none of the card's sources
    │   └── ChecksumMismatch       a file does not match the checksum of its card
    ├── TrainingError              a training cannot continue
    ├── OutputError                a result cannot be written
    │   └── OutputExists           another file has its name
    ├── Interrupted                the user interrupted the work (Ctrl-C)
    ├── SyncError                  audio is not shifted: its offset is unknown, uncertain, or not constant
    ├── PrivacyError               a redacted object was not tracked all through a video, so none is written
    ├── TimelineError              a timeline.json is malformed or of a newer schema
    ├── GalleryError               a gallery of known people and objects cannot be read, or rejects a sample
    ├── RulesError                 a rule file is invalid, or does not fit the frame
    ├── LibraryError               a library of analyzed videos cannot be used, or lacks what is requested
    ├── MissingExtra               an optional package is not installed
    ├── PluginError                a plugin of another package cannot be loaded
    └── UnexpectedError            any other error: a bug of kinoscope

A message is one line: it names the thing, the valid values and the next step. Secrets of addresses are masked.
"""

import logging

from kinoscope.core.addresses import mask

log = logging.getLogger("kinoscope")


class KinoscopeError(Exception):
    """Base class of all errors that kinoscope raises on purpose; ``status`` is the exit status."""

    status = 2

    def __init__(self, message: object = "") -> None:
        super().__init__(mask(str(message)))


class OptionError(KinoscopeError):
    """An option has an invalid value."""


class SourceError(KinoscopeError):
    """An input cannot be opened, or contains nothing to read."""


class DecodeError(SourceError):
    """A frame is corrupt and the corrupt-frame policy is ``raise``."""

    status = 1


class DatasetError(KinoscopeError):
    """Training clips are missing, or not labelled, grouped or split as required."""


class ModelError(KinoscopeError):
    """A model cannot be used."""


class TrainingError(KinoscopeError):
    """A training cannot continue; what it has learned so far is saved."""

    status = 1


class WeightsMissing(ModelError):
    """The weights of a model are in none of its card's sources."""


class ChecksumMismatch(ModelError):
    """A weight file does not match the SHA-256 of its card."""


class OutputError(KinoscopeError):
    """A result cannot be written."""


class OutputExists(OutputError):
    """Another file, or the result of another command, has the name of a result."""


class Interrupted(KinoscopeError):
    """The user interrupted the work (Ctrl-C); what was done until then is saved."""

    status = 1


class PrivacyError(KinoscopeError):
    """An object to be redacted was not tracked all through a video, so that no video was written."""

    status = 1


class TimelineError(KinoscopeError):
    """A timeline file is malformed, or of a newer schema."""


class GalleryError(KinoscopeError):
    """A gallery is corrupt, is none, is of a newer schema or of another model, or a sample does not fit it."""


class RulesError(KinoscopeError):
    """A rule file is invalid, or does not fit the frame or the labels of the detectors."""


class LibraryError(KinoscopeError):
    """A library cannot be read or written, is of a newer schema, or lacks the video that is named."""


class MissingExtra(KinoscopeError):
    """An optional package is not installed; the message names the extra that brings it."""


class PluginError(KinoscopeError):
    """A plugin of another package cannot be loaded; the message names the package."""


class SyncError(KinoscopeError):
    """Audio is not shifted: its offset is unknown, uncertain, or not constant."""


class UnexpectedError(KinoscopeError):
    """An unforeseen error; ``--debug`` shows where."""

    status = 1


def first_line(error: BaseException) -> str:
    """Return the first line of the message of an exception."""
    return (str(error).strip().splitlines() or ["no message"])[0]


def describe_error(error: BaseException) -> str:
    """Return the class of an exception and the first line of its message."""
    return f"{type(error).__name__}: {first_line(error)}"


def wrap_error(error: Exception, name: str) -> KinoscopeError:
    """Return any exception as a KinoscopeError, so that a failure of ``name`` never stops what follows."""
    log.debug("%s failed", name, exc_info=error)
    if isinstance(error, KinoscopeError):
        return error
    return UnexpectedError(f"{name}: {describe_error(error)}; this is a bug of kinoscope; see the details with --debug")
