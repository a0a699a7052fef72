#!/usr/bin/env python3
"""Connects again and again, to see for how long a port was open or shut.

    prober.py [--interval 0.005] [--timeout 0.3] SOURCE,ADDRESS,PORT…

Every INTERVAL a new connection is begun for every target, whatever became of those before: one that
waits for its timeout must not hide what happens meanwhile. `ready` is printed after the first round.
When stdin ends, the connections under way are awaited, and every attempt becomes a line on stdout:

    TARGET-NUMBER START-NS DURATION-NS OUTCOME

with the clock of the day, and OUTCOME one of open, refused, timeout or the name of another error.
"""

import argparse
import errno
import os
import select
import socket
import struct
import sys
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--interval", type=float, default=0.005)
    parser.add_argument("--timeout", type=float, default=0.3)
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    interval, patience = (int(n * 1e9) for n in (arguments.interval, arguments.timeout))
    targets = []
    for target in arguments.targets:
        source, address, port = target.split(",")
        targets.append((socket.AF_INET6 if ":" in address else socket.AF_INET, source, address, int(port)))

    attempts = []
    # By file descriptor; as a dict it's in the order of the starts, so that of the timeouts too.
    pending = {}
    poll = select.epoll()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    # Closing sends a reset: nothing lingers that could use up the ports.
    reset = struct.pack("ii", 1, 0)

    def finish(fd, outcome):
        sock, number, start, begun = pending.pop(fd)
        attempts.append((number, start, time.monotonic_ns() - begun, outcome))
        sock.close()

    def begin(number):
        family, source, address, port = targets[number]
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        pending[sock.fileno()] = (sock, number, time.time_ns(), time.monotonic_ns())
        try:
            # The port is chosen when connecting, by the whole of the connection.
            sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            sock.bind((source, 0))
            code = sock.connect_ex((address, port))
        except OSError as error:
            code = error.errno
        if code == errno.EINPROGRESS:
            poll.register(sock.fileno(), select.EPOLLOUT)
        else:
            finish(sock.fileno(), name(code))

    def name(code):
        if code == 0:
            return "open"
        if code == errno.ECONNREFUSED:
            return "refused"
        return errno.errorcode.get(code, str(code))

    next_round = time.monotonic_ns()
    running, ready = True, False
    while running or pending:
        now = time.monotonic_ns()
        if running and now >= next_round:
            for number in range(len(targets)):
                begin(number)
            # A round that came late doesn't make later ones come in a bunch.
            next_round = max(next_round + interval, now)
        wake = next_round if running else now + interval
        for fd, _ in poll.poll(max(0, wake - time.monotonic_ns()) / 1e9):
            if fd == 0:
                if not os.read(0, 4096):
                    running = False
                    poll.unregister(0)
            elif fd in pending:
                finish(fd, name(pending[fd][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
        # After the answers were taken in, and by the time before: were we not run for a while, then an answer
        # that came meanwhile counts.
        for fd in list(pending):
            if now - pending[fd][3] < patience:
                break
            finish(fd, "timeout")
        if not ready and len(attempts) >= len(targets):
            ready = True
            print("ready", flush=True)
    attempts.sort(key=lambda attempt: attempt[1])
    sys.stdout.write("".join("%d %d %d %s\n" % attempt for attempt in attempts))


if __name__ == "__main__":
    main()
