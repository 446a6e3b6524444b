"""Alert rules on tracked objects: the rule file, and the engine that evaluates it."""

from kinoscope.rules.engine import RuleEngine
from kinoscope.rules.loader import read_rules, rules_schema
from kinoscope.rules.rule_file import RuleFile

__all__ = ["RuleEngine", "RuleFile", "read_rules", "rules_schema"]
