"""``python -m kinoscope.rules``: print the JSON Schema of a rule file, as stored in ``rules.rules_schema.json``."""

import json

from kinoscope.rules.loader import rules_schema

if __name__ == "__main__":
    print(json.dumps(rules_schema(), indent=2))
