"""Views of a Timeline: exchange formats, HTML pages, console tables and video."""
