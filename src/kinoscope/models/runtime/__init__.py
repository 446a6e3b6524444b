"""Inference runtimes: OpenVINO on a CPU, torch on a GPU."""
