"""Load all modules of this package, each of which registers the results that it prints; ``render`` is then complete."""

import pkgutil
from importlib import import_module

from kinoscope.views import console
from kinoscope.views.console.render import render

__all__ = ["render"]

for _module in pkgutil.iter_modules(console.__path__, f"{console.__name__}."):
    import_module(_module.name)
