"""The exception tree.

    KinoscopeError                 every error that kinoscope raises on purpose
    ├── OptionError                an option has a value that cannot be used
    ├── SourceError                an input cannot be opened or has nothing to read
    │   └── DecodeError            a frame is broken and the policy is ``raise``
    ├── DatasetError               clips to learn from are missing, or are not as they must be
    ├── ModelError                 a model cannot be used
    │   ├── WeightsMissing         its weights are in none of the card's sources
    │   └── ChecksumMismatch       a file is not the one that its card pins
    ├── OutputError                a result cannot be written
    │   └── Occupied               another file has its name
    ├── Interrupted                somebody stopped the work (Ctrl-C)
    ├── SyncError                  sound is not moved: its offset is not measured, is not sure, or is not one
    ├── PrivacyError               what is to be hidden in a video was not followed all through, so none is written
    ├── TimelineError              a timeline.json is not one, or is from a newer schema
    ├── GalleryError               a gallery of known people and things cannot be read, or does not take what is given
    ├── RulesError                 a file of rules is not as it must be, or does not fit the picture
    ├── LibraryError               a library of what was seen cannot be used, or does not have what is asked for
    ├── MissingExtra               an optional package is not installed
    └── UnexpectedError            something else went wrong: a fault of kinoscope

A message is one line: it names the thing, the valid values and the next step. What is secret in an address is masked.
"""

import logging

from kinoscope.core.addresses import mask

log = logging.getLogger("kinoscope")


class KinoscopeError(Exception):
    """Base of every error that kinoscope raises on purpose; ``status`` is the exit status."""

    status = 2

    def __init__(self, message: object = "") -> None:
        super().__init__(mask(str(message)))


class OptionError(KinoscopeError):
    """An option has a value that cannot be used."""


class SourceError(KinoscopeError):
    """An input cannot be opened, or has nothing to read."""


class DecodeError(SourceError):
    """A frame is broken and the corrupt-frame policy is ``raise``."""

    status = 1


class DatasetError(KinoscopeError):
    """Clips to learn from are missing, or are not labelled, grouped or split as they must be."""


class ModelError(KinoscopeError):
    """A model cannot be used."""


class TrainingError(KinoscopeError):
    """Training cannot go on; what was learned until then is kept."""

    status = 1


class WeightsMissing(ModelError):
    """The weights of a model are in none of its card's sources."""


class ChecksumMismatch(ModelError):
    """A weight file is not the one that its card pins by sha256."""


class OutputError(KinoscopeError):
    """A result cannot be written."""


class OutputExists(OutputError):
    """Another file, or the result of another command, has the name of a result."""


class Interrupted(KinoscopeError):
    """Somebody stopped the work (Ctrl-C); what was done until then is kept."""

    status = 1


class PrivacyError(KinoscopeError):
    """What is to be hidden in a video was not followed all through it, so that no video was written."""

    status = 1


class TimelineError(KinoscopeError):
    """A timeline file is malformed, or written by a newer schema."""


class GalleryError(KinoscopeError):
    """A gallery is damaged, is none, is of a newer schema or of another model, or a look is not fit for it."""


class RulesError(KinoscopeError):
    """A file of rules is not as it must be, or does not fit the picture or what can be seen."""


class LibraryError(KinoscopeError):
    """A library cannot be read or written, is of a newer schema, or does not have the video that is named."""


class MissingExtra(KinoscopeError):
    """An optional package is not installed; the message names the extra that brings it."""


class SyncError(KinoscopeError):
    """Sound is not moved: its offset is not measured, is not sure, or is not one."""


class UnexpectedError(KinoscopeError):
    """Something went wrong that nobody foresaw; ``--debug`` shows where."""

    status = 1


def wrap_error(error: Exception, name: str) -> KinoscopeError:
    """Return any exception as one of ours, so that what goes wrong with ``name`` never stops what comes after it."""
    log.debug("%s failed", name, exc_info=error)
    if isinstance(error, KinoscopeError):
        return error
    lines = str(error).strip().splitlines() or ["no message"]
    what = f"{type(error).__name__}: {lines[0]}"
    return UnexpectedError(f"{name}: {what}; this is a fault of kinoscope, which --debug shows more of")
