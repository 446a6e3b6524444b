"""The work of the verbs: inputs, the engine, options, rendering, alerts, enrollment, evaluation and trainings."""
