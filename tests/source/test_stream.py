"""Network streams: over the loopback where that works, and with simulated connections."""

import contextlib
import functools
import http.server
import itertools
import shutil
import socket
import struct
import subprocess
import threading
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, ClassVar

import av
import pytest

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Audio
from kinoscope.source import open_source
from kinoscope.source.decode.container import open_file
from kinoscope.source.decode.packets import PacketReader
from kinoscope.source.stream import MAX_WAIT_SECONDS, Backoff, StreamSource
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from tests.helpers.sources import close_reader, encode

pytestmark = pytest.mark.network


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path):
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path)))
    except OSError as error:
        pytest.skip(f"no loopback server: {error}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_http(served):
    folder, address = served
    flash_and_beep(duration=2, width=32, height=32).write(folder / "a.mp4")
    with open_source(f"{address}/a.mp4") as source, open_source(folder / "a.mp4") as same:
        assert not source.info.live
        assert [p.time for p in source.lazy_frames()] == [p.time for p in same.lazy_frames()]
        assert source.report.complete


def test_http_names_what_is_not_there(served):
    with pytest.raises(SourceError, match=r"cannot open http://.*/no.mp4: .*not found.*; check the address"):
        open_source(f"{served[1]}/no.mp4")


def test_http_playlist_opens_no_local_file(served):
    folder, address = served
    secret = encode(folder / "secret.ts")
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    (folder / "list.m3u8").write_text(text)
    with pytest.raises(SourceError):
        open_source(f"{address}/list.m3u8")


def test_http_playlist_of_its_own_parts(served):
    folder, address = served
    encode(folder / "part.ts")
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:0.48,\npart.ts\n#EXT-X-ENDLIST\n"
    (folder / "list.m3u8").write_text(text)
    with open_source(f"{address}/list.m3u8") as source:
        assert len(list(source.frames())) == 12


def test_no_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match=r"cannot open http://127.0.0.1:\d+/a.mp4: connection refused"):
        open_source(f"http://127.0.0.1:{port}/a.mp4")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg to send with")
def test_udp(tmp_path):
    encode(tmp_path / "a.ts", count=75, gop=5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{free.getsockname()[1]}"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-re",
        "-stream_loop",
        "-1",
        "-i",
        str(tmp_path / "a.ts"),
        "-c",
        "copy",
        "-f",
        "mpegts",
    ]
    sender = subprocess.Popen([*command, f"{address}?pkt_size=1316"], stderr=subprocess.DEVNULL)
    try:
        with open_source(address, live=False) as source:
            assert source.info.live
            lazy_frames = source.lazy_frames()
            times = [next(lazy_frames).time for _ in range(10)]
            close_reader(lazy_frames)
            with pytest.raises(SourceError, match="is live: it has no end"):
                source.evenly(3)
    finally:
        sender.kill()
        sender.wait()
    assert all(b > a for a, b in itertools.pairwise(times))


class MiniRtsp(threading.Thread):
    """A minimal RTSP server: MPEG-TS in RTP (RFC 2250), interleaved on the one connection."""

    ANSWERS: ClassVar[dict[str, str]] = {
        "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
        "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
        "PLAY": "Session: 1\r\n",
    }

    def __init__(self, stream: bytes) -> None:
        super().__init__(daemon=True)
        self.stream = stream
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self.socket.getsockname()[1]}/a"

    def run(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self.socket.accept()
            self.socket.close()
            with connection, connection.makefile("rwb") as lines:
                while not self.answer(lines):
                    pass

    def answer(self, lines) -> bool:
        method, headers = lines.readline().decode().split(" ")[0], {}
        while line := lines.readline().decode().strip():
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        body, extra = "", self.ANSWERS.get(method, "")
        if method == "DESCRIBE":
            body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
            extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        lines.write(f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', 0)}\r\n{extra}\r\n{body}".encode())
        if method == "PLAY":
            for number, at in enumerate(range(0, len(self.stream), 1316)):
                packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 90, 1) + self.stream[at : at + 1316]
                lines.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
        lines.flush()
        return method in ("PLAY", "TEARDOWN", "")


def test_rtsp(tmp_path):
    try:
        server = MiniRtsp(encode(tmp_path / "a.ts", count=50, gop=5).read_bytes())
    except OSError as error:
        pytest.skip(f"no loopback server: {error}")
    server.start()
    source = StreamSource(server.address, max_tries=0)
    with source:
        assert source.info.live
        times = [frame.time for frame in source.lazy_frames()]
        assert len(times) >= 40
        assert {b - a for a, b in itertools.pairwise(times[:40])} == {Fraction(1, 25)}
        assert not source.report.complete
    server.join()


class Line:
    """A scripted connection: each opening returns the next file, or raises an error for None."""

    def __init__(self, *files):
        self.files, self.opened = list(files), 0
        self.waits, self.now = [], 100.0

    def open(self, url, **options):
        self.options = options
        file = self.files[min(self.opened, len(self.files) - 1)]
        self.opened += 1
        if file is None:
            raise SourceError(f"cannot open {url}: nobody there")
        return open_file(str(file))

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def clock(self):
        return self.now

    def source(self, url, **options):
        return StreamSource(url, opener=self.open, sleep=self.sleep, clock=self.clock, **options)


def cut_short(path):
    data = path.read_bytes()
    short = path.with_name(f"short-{path.name}")
    short.write_bytes(data[: len(data) // 2])
    return short


def test_a_file_that_breaks_off_is_taken_up_again(tmp_path):
    whole = shapes(duration=4, width=64, height=64).write(tmp_path / "a.mp4", lossless=True)
    line = Line(cut_short(whole), None, None, whole)
    with line.source("http://host/a.mp4") as source:
        times = [frame.time for frame in source.lazy_frames()]
        assert times == [Fraction(i, 25) for i in range(100)]
        assert source.report.reconnects == 1
        assert source.report.complete
    assert line.waits == [0.5, 1.0, 2.0]


def test_audio_resumes_without_repeating(tmp_path):
    whole = flash_and_beep(duration=4, width=64, height=64).write(tmp_path / "a.mp4")
    with Line(cut_short(whole), whole).source("http://host/a.mp4") as source:
        blocks = [item for item in source.read(audio_rates=(8000,)) if isinstance(item, Audio)]
    assert all(before.end <= after.start for before, after in itertools.pairwise(blocks))
    assert sum(len(audio.samples) for audio in blocks) == pytest.approx(32_000, abs=600)


def test_a_live_stream_resumes_after_the_time_of_its_outage(tmp_path):
    path = encode(tmp_path / "a.ts", count=5, pts=[i * 3600 for i in range(5)], time_base=Fraction(1, 90_000))
    line = Line(path, None, path, None)
    with line.source("rtsp://host/a", max_tries=3) as source:
        lazy_frames = list(source.lazy_frames())
        report = source.report
    times = [frame.time - lazy_frames[0].time for frame in lazy_frames]
    first = [Fraction(i, 25) for i in range(5)]
    assert times == first + [first[-1] + Fraction(3, 2) + time for time in first]
    assert [frame.index for frame in lazy_frames] == list(range(10))
    assert (report.reconnects, report.guessed, report.complete) == (1, 0, False)
    assert report.errors == [
        "no data for 2 s; reconnected",
        "rtsp://host/a was lost, and 3 tries did not bring it back",
    ]
    assert (report.failures, line.waits) == (0, [0.5, 1, 0.5, 1, 2])


def test_whoever_stops_a_camera_that_was_lost_and_is_back_has_missed_nothing(tmp_path):
    path = encode(tmp_path / "a.ts", count=5)
    line = Line(path, None, None, path)
    with line.source("rtsp://host/a") as source:
        lazy_frames = source.lazy_frames()
        for _ in range(7):
            next(lazy_frames)
            source.report.add_message("a frame was lost")
        lazy_frames.close()
        assert source.report.complete
        assert source.report.errors[0] == "no data for 4 s; reconnected"


def test_stopping_a_camera_during_an_outage_reports_it(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.ts", count=5)
    line = Line(path, None)
    reports = []
    source: StreamSource
    monkeypatch.setattr(line, "sleep", lambda _: reports.append((source.report.complete, *source.report.errors)))
    with line.source("rtsp://host/a") as source:
        assert len(list(source.lazy_frames())) == 5
    assert reports[0] == reports[-1] == (False, "no data any more; it could not be opened again until now")
    assert source.report.errors == ["rtsp://host/a was lost, and 9 tries did not bring it back"]


def test_a_camera_is_tried_often_and_probed_for_a_short_time_when_it_is_back(tmp_path):
    path = encode(tmp_path / "a.ts", count=5)
    line = Line(path, *[None] * 6, path)
    with line.source("rtsp://host/a") as source:
        assert line.options == {}
        lazy_frames = source.lazy_frames()
        for _ in range(7):
            next(lazy_frames)
        lazy_frames.close()
    assert line.options == {"again": True}
    assert line.waits == [0.5, 1, 2, 4, 5, 5, 5]


def test_a_stream_that_sends_no_more_is_lost_at_once_and_not_after_a_second_wait(monkeypatch):
    now = itertools.accumulate([0, 0, 0, 5, 0, 0, 5, 5])
    monkeypatch.setattr("kinoscope.source.decode.packets.time.monotonic", lambda: next(now))
    packet = SimpleNamespace(
        stream="video", stream_index=0, size=1, pts=None, dts=None, time_base=None, pos=None, is_discard=False
    )
    camera: Any = SimpleNamespace(
        format=SimpleNamespace(name="rtsp"), read_timeout=5, demux=lambda: itertools.repeat(packet)
    )
    streams: list[Any] = ["video"]
    packets = PacketReader(camera, streams)
    packets._unflushed.clear()
    assert len(list(packets)) == 2
    assert packets.stop_reason == "no data for 5 s"


def test_a_camera_over_http_is_one_if_the_caller_says_so(tmp_path):
    path = str(encode(tmp_path / "a.ts", count=5))
    assert not StreamSource("http://host/a", opener=lambda _: open_file(path)).info.live
    source = StreamSource("http://host/a", opener=lambda _: open_file(path), endless=True)
    assert (source.info.live, source.info.duration) == (True, None)


def test_frames_without_times_have_their_arrival_times(tmp_path):
    with av.open(str(tmp_path / "a.jpegs"), "w", format="mpjpeg") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuvj420p")))
        container.mux(stream.encode())
    asked = []

    def opener(_, **options):
        asked.append(options)
        named = {"use_wallclock_as_timestamps": "1"} if options else {}
        return av.open(str(tmp_path / "a.jpegs"), format="mpjpeg", options=named)

    with StreamSource("http://host/a", opener=opener, endless=True, max_tries=0) as source:
        assert source.info.start == 0
        times = [frame.time for frame in source.lazy_frames()]
    assert asked == [{}, {"wall_clock": True}]
    assert times[0] == 0
    assert times[-1] < 60


def test_connections_that_send_nothing_are_given_up(tmp_path):
    whole = shapes(duration=4, width=64, height=64).write(tmp_path / "a.mp4", lossless=True)
    line = Line(cut_short(whole))
    with line.source("http://host/a.mp4", max_tries=4) as source:
        count = len(list(source.frames((8, 8))))
        assert not source.report.complete
    assert 0 < count < 100
    assert line.waits == [0.5, 1, 2, 4]


def test_end_closes_a_live_stream(tmp_path):
    path = encode(tmp_path / "a.ts", count=20)
    with open_file(str(path)) as container:
        start = container.streams.video[0].start_time * container.streams.video[0].time_base
    with Line(path).source("udp://host:1", end=start + Fraction(1, 5)) as source:
        assert len(list(source.lazy_frames())) == 5
        assert source.report.reconnects == 0


def test_waits_grow_to_a_limit():
    waits: list[float] = []
    backoff = Backoff(9, waits.append)
    while backoff.wait():
        pass
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert max(waits) == MAX_WAIT_SECONDS
    backoff.reset()
    assert backoff.wait()
    assert waits[-1] == 0.5
