"""Rules on what is followed: a file that says what is worth an alert, and the engine that sees when it happens."""

from kinoscope.rules.book import Rulebook
from kinoscope.rules.reading import read, schema
from kinoscope.rules.rule import RuleFile

__all__ = ["RuleFile", "Rulebook", "read", "schema"]
