"""Serve a video over RTSP, close the connection at its end, and repeat: ``rtsp_server.py FILE TIMES``.

A minimal server: MPEG-TS in RTP (RFC 2250), interleaved on the one connection, paced by the clock.
It prints its address first.
"""

import socket
import struct
import sys
import threading
from pathlib import Path

ANSWERS = {
    "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
    "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
    "PLAY": "Session: 1\r\n",
}
BODY = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
SECONDS = 3.0


def answer(lines, stream):
    """Answer one request; return whether it was the last."""
    method, headers = lines.readline().decode().split(" ")[0], {}
    while line := lines.readline().decode().strip():
        name, value = line.split(": ", 1)
        headers[name.lower()] = value
    described = method == "DESCRIBE"
    head = f"Content-Type: application/sdp\r\nContent-Length: {len(BODY)}\r\n" if described else ANSWERS.get(method, "")
    text = f"RTSP/1.0 200 OK\r\nCSeq: {headers.get('cseq', 0)}\r\n{head}\r\n{BODY if described else ''}"
    lines.write(text.encode())
    lines.flush()
    if method == "PLAY":
        play(lines, stream)
    return method in ("PLAY", "TEARDOWN", "")


def play(lines, stream):
    pause, count = threading.Event(), -(-len(stream) // 1316)
    for number in range(count):
        part = stream[number * 1316 : (number + 1) * 1316]
        packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 90, 1) + part
        lines.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
        lines.flush()
        pause.wait(SECONDS / count)


def main():
    stream = Path(sys.argv[1]).read_bytes()
    server = socket.create_server(("127.0.0.1", 0))
    print(f"rtsp://127.0.0.1:{server.getsockname()[1]}/a", flush=True)
    for _ in range(int(sys.argv[2])):
        connection, _ = server.accept()
        with connection, connection.makefile("rwb") as lines:
            try:
                while not answer(lines, stream):
                    pass
            except OSError:
                continue


if __name__ == "__main__":
    main()
