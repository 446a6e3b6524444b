import io

from rich.console import Console

from kinoscope.views.console.detection import print_detections

ROW = {"start": 0.0, "end": 9.0, "seconds": 9.0, "length": 1.0, "speed": 0.1, "heights_per_second": 0.0}


def printed(*counts):
    rows = [{"id": n, "label": "person", "counts": count} | ROW for n, count in enumerate(counts)]
    out = io.StringIO()
    print_detections({"source": "a.mp4", "tracks": rows, "counts": {}}, Console(file=out, width=120))
    return out.getvalue()


def test_what_does_not_count_is_marked_and_the_mark_explained():
    shown = printed(True, False)
    assert shown.count("person ?") == 1
    assert "?: doubtful and stationary; not counted" in shown
    assert "?" not in printed(True, True)
