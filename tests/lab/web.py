#!/usr/bin/env python3
"""An HTTPS server that plays Cloudflare's two publications of its addresses, well-behaved or not.

    web.py --cert server.pem --key server.key [--bind 127.0.0.1] [--port 0] [--live FILE] [--log FILE] [--mute]

The port is printed on stdout as soon as it takes connections. The first part of a path selects how the
server behaves (the functions marked `mode` below), the rest is as on the real servers:

    /MODE/client/v4/ips    the JSON of api.cloudflare.com
    /MODE/ips-v4           the text of www.cloudflare.com, without a newline at its end
    /MODE/ips-v6

`live` reads its lists from FILE (one range a line, both families) at every request, so that a test can
change them. Every request becomes a line of the log. With --mute, connections are accepted and nothing
ever is said on them, not even TLS. The server ends with its stdin when that is a pipe, so that it
doesn't outlive a killed test.
"""

import argparse
import hashlib
import http.server
import json
import os
import socket
import ssl
import stat
import sys
import threading
import time

V4 = """173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 141.101.64.0/18 108.162.192.0/18
190.93.240.0/20 188.114.96.0/20 197.234.240.0/22 198.41.128.0/17 162.158.0.0/15 104.16.0.0/13
104.24.0.0/14 172.64.0.0/13 131.0.72.0/22""".split()
V6 = """2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29
2c0f:f248::/32""".split()

CHALLENGE = b"""<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript></body></html>
"""

# How long a request that gets no answer is held, at the most.
PATIENCE = 120.0


class Reply:
    """What goes over the wire; modes change what they want to be wrong."""

    def __init__(self, what, v4, v6):
        self.what = what
        self.status = 200
        self.headers = {"Server": "cloudflare"}
        self.announce_length = True
        self.length_beyond_body = 0
        self.seconds_per_byte = 0.0
        self.silent = False
        self.lists(v4, v6)

    def lists(self, v4, v6):
        if self.what == "json":
            digest = hashlib.md5("\n".join(v4 + v6).encode(), usedforsecurity=False).hexdigest()
            self.document = {
                "result": {"ipv4_cidrs": v4, "ipv6_cidrs": v6, "etag": digest},
                "success": True,
                "errors": [],
                "messages": [],
            }
            self.headers["Content-Type"] = "application/json"
        else:
            self.headers["Content-Type"] = "text/plain;charset=UTF-8"
            self.text("\n".join(v4 if self.what == "v4" else v6))
        return self

    @property
    def document(self):
        return json.loads(self.body)

    @document.setter
    def document(self, document):
        self.body = json.dumps(document).encode()

    def text(self, text):
        self.body = text.encode()


MODES = {}


def mode(function):
    """A behaviour: gets the reply of a good server and the request, and changes the reply."""
    MODES[function.__name__.replace("_", "-")] = function
    return function


def lists_mode(name, v4, v6):
    """A behaviour that only differs in the published ranges."""
    MODES[name] = lambda reply, _: reply.lists(v4, v6)


def without(ranges, *gone):
    return [r for r in ranges if r not in gone]


lists_mode("good", V4, V6)
# One range lost, another gained (one that Cloudflare did publish years ago).
lists_mode("moved", without(V4, "131.0.72.0/22") + ["199.27.128.0/21"], V6)
# The change of April 2021: 1 removed, 2 added, 14.7 % of the IPv4 space lost.
lists_mode("april2021-before", without(V4, "104.16.0.0/13", "104.24.0.0/14") + ["104.16.0.0/12"], V6)
lists_mode("april2021-after", V4, V6)
lists_mode("zero", V4 + ["0.0.0.0/0"], V6)
lists_mode("zero6", V4, V6 + ["::/0"])
lists_mode("private", V4 + ["10.0.0.0/8"], V6)
lists_mode("documentation", V4 + ["203.0.113.0/24"], V6)
lists_mode("hostbits", ["173.245.48.1/20"] + V4[1:], V6)
lists_mode("duplicates", V4 + [V4[3]], V6 + [V6[0]])
lists_mode("contained", V4 + ["104.16.128.0/20"], V6)
lists_mode("halved", V4[:8], V6[:4])
lists_mode("emptylist", [], [])
lists_mode("wrong-family", V4[:-1] + ["2001:67c::/32"], V6)
lists_mode("uppercase", V4, ["2400:CB00::/32"] + V6[1:])
lists_mode("noprefix", V4[:-1] + ["131.0.72.0"], V6)
# One prefix of 15 lost, but a third of the space.
lists_mode("shrunk", without(V4, "104.16.0.0/13"), V6)
lists_mode("grown", V4 + ["80.0.0.0/14", "84.0.0.0/14"], V6)
# Formally flawless, but somebody else's.
lists_mode("alien", [f"{80 + n}.{16 * n}.0.0/15" for n in range(12)], V6)


@mode
def glued(reply, _):
    """The two texts put together without a newline between them."""
    both = "\n".join(V4) + "\n".join(V6)
    if reply.what == "json":
        reply.lists(both.split("\n")[: len(V4)], V6[1:])
    else:
        reply.text(both)


@mode
def html(reply, _):
    """The page a browser gets to prove that it's one, with status 200."""
    reply.body = CHALLENGE
    reply.headers["Content-Type"] = "text/html; charset=UTF-8"


@mode
def wrong_type(reply, _):
    reply.headers["Content-Type"] = "text/html; charset=UTF-8"


@mode
def empty(reply, _):
    reply.body = b""


@mode
def truncated(reply, _):
    """The connection ends in the middle of a range; the announced length tells."""
    cut = len(reply.body) * 2 // 3
    reply.length_beyond_body = len(reply.body) - cut
    reply.body = reply.body[:cut]


@mode
def cut(reply, _):
    """The same, but the length agrees."""
    reply.body = reply.body[: len(reply.body) * 2 // 3 + 2]


@mode
def big(reply, _):
    """5 MB that would parse, and whose length nobody announces."""
    reply.body += b"\n" * 5_000_000
    reply.announce_length = False


@mode
def big_announced(reply, _):
    reply.body += b"\n" * 5_000_000


@mode
def hang(reply, _):
    """The request is read, and then nothing."""
    reply.silent = True


@mode
def drip(reply, _):
    reply.seconds_per_byte = 1.0


@mode
def disagree(reply, _):
    """API and text differ."""
    if reply.what != "json":
        MODES["moved"](reply, _)


@mode
def failed(reply, _):
    """The lists are there, but the API says that it failed."""
    if reply.what == "json":
        reply.document = reply.document | {
            "success": False,
            "errors": [{"code": 10000, "message": "Authentication error"}],
        }
    else:
        reply.status = 500


@mode
def errors(reply, _):
    if reply.what == "json":
        reply.document = reply.document | {"errors": [{"code": 7003, "message": "Could not route"}]}


@mode
def nokey(reply, _):
    if reply.what == "json":
        document = reply.document
        del document["result"]["ipv6_cidrs"]
        reply.document = document


@mode
def badjson(reply, _):
    if reply.what == "json":
        reply.body = reply.body[:-1] + b",}"


@mode
def extra(reply, _):
    """Members that a client doesn't know, as with `?networks=jdcloud`: nothing wrong with them."""
    if reply.what == "json":
        document = reply.document
        document["result"]["jdcloud_cidrs"] = ["1.12.0.0/14"]
        document["messages"] = [{"code": 1, "message": "hello"}]
        reply.document = document


@mode
def newline(reply, _):
    """A newline at the end of the text: nothing wrong with it."""
    reply.body += b"\n"


@mode
def crlf(reply, _):
    if reply.what != "json":
        reply.body = reply.body.replace(b"\n", b"\r\n")


@mode
def badline(reply, _):
    if reply.what != "json":
        reply.body += b"\n# end of list"


@mode
def status500(reply, _):
    """The right body with the wrong status."""
    reply.status = 500


@mode
def status403(reply, _):
    reply.status = 403
    html(reply, _)


@mode
def status429(reply, _):
    reply.status = 429
    reply.headers["Retry-After"] = "3600"


def redirect(reply, location):
    reply.status = 302
    reply.headers["Location"] = location
    reply.body = b""


@mode
def samehost(reply, request):
    redirect(reply, "/good/" + request.rest)


@mode
def elsewhere(reply, request):
    """To a good list on another host, which a client that follows blindly would even reach."""
    host, port = request.headers.get("Host", "").rsplit(":", 1)
    other = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}.get(host, "elsewhere.invalid")
    redirect(reply, f"https://{other}:{port}/good/{request.rest}")


@mode
def downgrade(reply, request):
    redirect(reply, f"http://{request.headers.get('Host', '')}/good/{request.rest}")


@mode
def loop(reply, request):
    redirect(reply, "/loop/" + request.rest)


@mode
def live(reply, request):
    with open(request.server.live, encoding="ascii") as file:
        ranges = file.read().split()
    reply.lists([r for r in ranges if ":" not in r], [r for r in ranges if ":" in r])


class Handler(http.server.BaseHTTPRequestHandler):
    # Headers and body are two writes: without this the second waits 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    # Held open and slow requests are ended by this, should the client never go away.
    timeout = PATIENCE

    def do_GET(self):
        name, _, self.rest = self.path.removeprefix("/").partition("/")
        what = {"client/v4/ips": "json", "ips-v4": "v4", "ips-v6": "v6"}.get(self.rest.partition("?")[0])
        if name not in MODES or what is None:
            self.send_error(404)
            return
        reply = Reply(what, V4, V6)
        MODES[name](reply, self)
        if reply.silent:
            # Until the client gives up.
            self.connection.settimeout(PATIENCE)
            self.connection.recv(1)
            self.close_connection = True
            return
        self.send_response(reply.status)
        for header, value in reply.headers.items():
            self.send_header(header, value)
        if reply.announce_length:
            self.send_header("Content-Length", str(len(reply.body) + reply.length_beyond_body))
        if not reply.announce_length or reply.length_beyond_body:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if reply.seconds_per_byte:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.seconds_per_byte)
        else:
            self.wfile.write(reply.body)

    def handle(self):
        try:
            super().handle()
        except OSError:
            # The client refused our certificate or our answer and left: what many tests want.
            pass

    def version_string(self):
        return "lab"

    def log_message(self, format, *args):  # noqa: A002 (the name is http.server's)
        if self.server.log:
            with open(self.server.log, "a", encoding="utf-8") as file:
                file.write(f"{self.client_address[0]} {format % args}\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, arguments):
        self.address_family = socket.AF_INET6 if ":" in arguments.bind else socket.AF_INET
        self.live = arguments.live
        self.log = arguments.log
        self.mute = arguments.mute
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(arguments.cert, arguments.key)
        super().__init__((arguments.bind, arguments.port), Handler)

    def finish_request(self, request, client_address):
        # In the connection's own thread, so that a client that never shakes hands blocks nobody else.
        try:
            request.settimeout(PATIENCE)
            if self.mute:
                while request.recv(4096):
                    pass
                return
            request = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        super().finish_request(request, client_address)
        try:
            request.unwrap()
        except (OSError, ValueError):
            pass
        request.close()


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--live")
    parser.add_argument("--log")
    parser.add_argument("--mute", action="store_true")
    parser.add_argument("--modes", action="store_true", help="print the names of the modes and end")
    if "--modes" in sys.argv:
        print("\n".join(sorted(MODES)))
        return
    server = Server(parser.parse_args())
    print(server.server_port, flush=True)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=end_with_stdin, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
