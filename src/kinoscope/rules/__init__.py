"""Rules on what is followed: a file that says what is worth an alert, and the engine that sees when it happens."""

from kinoscope.rules.engine import Rulebook
from kinoscope.rules.loader import read, schema
from kinoscope.rules.rule_file import RuleFile

__all__ = ["RuleFile", "Rulebook", "read", "schema"]
