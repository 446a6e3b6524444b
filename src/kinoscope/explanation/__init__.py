"""Explanations of predictions: attribution, class activation maps and their faithfulness."""
