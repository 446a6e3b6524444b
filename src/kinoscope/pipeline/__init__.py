"""One analysis: inputs, engine, rendering of its outputs, enrollment and queries."""
