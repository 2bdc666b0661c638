"""A server of videos on a loopback socket, which behaves as badly as its paths say."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

BLOCK = bytes(64 * 1024)
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.ts\n#EXT-X-ENDLIST\n"
DASH = b"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1"
bandwidth="1000"><SegmentList duration="2"><Initialization sourceURL="first.mp4"/>
<SegmentURL media="1.mp4"/><SegmentURL media="2.mp4"/></SegmentList></Representation>
</AdaptationSet></Period></MPD>"""


LONG = b"""<html><title>Long</title><script type="application/ld+json">{"@type": "VideoObject",
"@context": "https://schema.org", "name": "Long", "contentUrl": "http://HOST/clip.mp4",
"duration": "PT5H"}</script></html>"""


class VideoServer:
    """Use as a context manager.

    `/clip.mp4` is the video; `/to?ADDRESS` sends on; see `answer` for the others.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[str] = []
        """Paths, in order."""
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.place = f"127.0.0.1:{self._http.server_port}"
        """For `reachable`."""
        self.url = f"http://{self.place}"

    def __enter__(self) -> VideoServer:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.asked.append(self.path)
                try:
                    server.answer(self)
                except OSError:
                    self.close_connection = True

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path, _, query = handler.path.partition("?")
        match path:
            case "/clip.mp4" | "/other.mp4":
                self._send(handler, "video/mp4", self.content)
            case "/file":
                self._send(handler, "application/octet-stream", self.content)
            case "/to":
                handler.send_response(302)
                handler.send_header("location", unquote(query))
                handler.end_headers()
            case "/cut.mp4":
                self._send(handler, "video/mp4", self.content, len(self.content) // 2)
            case "/short.mp4":
                self._send(handler, "video/mp4", self.content, 2 * len(self.content))
            case "/huge.mp4":
                self._send(handler, "video/mp4", self.content, 10 * 1024**4)
            case "/endless.mp4":
                self._forever(handler, "video/mp4", BLOCK, 0.0)
            case "/endless.html":
                self._forever(handler, "text/html", b"<html>" + 1000 * BLOCK, 0.0)
            case "/slow.mp4":
                self._forever(handler, "video/mp4", bytes(2048), 0.05)
            case "/silent.mp4":
                self._over.wait(20)
            case "/page.html":
                self._send(handler, "text/html", b"<html><title>Tea</title><p>No film</p></html>")
            case "/embedded.html":
                self._send(handler, "text/html", _page(unquote(query)))
            case "/two.html":
                self._send(handler, "text/html", _page("/clip.mp4", "/other.mp4"))
            case "/long.html":
                self._send(handler, "text/html", LONG.replace(b"HOST", self.place.encode()))
            case "/garbage.mp4":
                self._send(handler, "video/mp4", bytes(range(256)) * 40)
            case "/stream.m3u8":
                self._send(handler, "application/vnd.apple.mpegurl", HLS)
            case "/stream.mpd":
                self._send(handler, "application/dash+xml", DASH)
            case _:
                handler.send_error(404)

    def _send(
        self, handler: BaseHTTPRequestHandler, kind: str, content: bytes, declared: int = 0
    ) -> None:
        handler.send_response(200)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(declared or len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def _forever(
        self, handler: BaseHTTPRequestHandler, kind: str, block: bytes, pause_s: float
    ) -> None:
        handler.send_response(200)
        handler.send_header("content-type", kind)
        handler.end_headers()
        while not self._over.is_set():
            handler.wfile.write(block)
            handler.wfile.flush()
            time.sleep(pause_s)


def _page(*sources: str) -> bytes:
    videos = "".join(
        f'<video><source src="{source}" type="video/mp4"></video>' for source in sources
    )
    return f"<html><title>Films</title><body>{videos}</body></html>".encode()
