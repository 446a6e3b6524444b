"""Rules on what is followed: a file that says what is worth an alert, and the engine that sees when it happens."""

from kinoscope.rules.engine import RuleEngine
from kinoscope.rules.loader import read_rules, rules_schema
from kinoscope.rules.rule_file import RuleFile

__all__ = ["RuleEngine", "RuleFile", "read_rules", "rules_schema"]
