"""``python -m kinoscope.rules`` prints the JSON Schema of a file of rules, which stands in ``rules.schema.json``."""

import json

from kinoscope.rules.loader import schema

if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
