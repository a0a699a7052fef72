#!/usr/bin/env python3
"""Connects again and again, to see for how long a port was open or shut.

    prober.py [--interval 0.005] [--timeout 0.3] [--half-open] SOURCE,ADDRESS,PORT…

Every INTERVAL a new connection is begun for every target, whatever became of those before: one that
waits for its timeout must not hide what happens meanwhile. `ready` is printed after the first round.
When stdin ends, the connections under way are awaited, and every attempt becomes a line on stdout:

    TARGET-NUMBER START-NS DURATION-NS OUTCOME

with the clock of the day, and OUTCOME one of open, refused, timeout or the name of another error.

With --half-open only the first packet of a connection is sent, and the kernel here, which knows of none,
takes the answer back with a reset: the packet filter and the listener are asked, and the server that listens
is never bothered. That is for servers that a thousand connections would wear out. IPv4 only.
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
    parser.add_argument("--half-open", action="store_true")
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    interval, patience = (int(n * 1e9) for n in (arguments.interval, arguments.timeout))
    targets = []
    for target in arguments.targets:
        source, address, port = target.split(",")
        targets.append((socket.AF_INET6 if ":" in address else socket.AF_INET, source, address, int(port)))

    if arguments.half_open:
        knock(targets, interval, patience)
        return

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
    report(attempts)


def report(attempts):
    attempts.sort(key=lambda attempt: attempt[1])
    sys.stdout.write("".join("%d %d %d %s\n" % attempt for attempt in attempts))


# Below those that the kernel gives to connections of its own.
FIRST_PORT, LAST_PORT = 10000, 30000
SYN, RST, ACK = 2, 4, 16


def knock(targets, interval, patience):
    poll = select.epoll()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    sockets = {}
    for _, source, _, _ in targets:
        if source not in sockets:
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            sock.setblocking(False)
            sock.bind((source, 0))
            sockets[source] = sock
            poll.register(sock.fileno(), select.EPOLLIN)
    by_descriptor = {sock.fileno(): sock for sock in sockets.values()}
    # By address, its port and ours; in the order of the starts.
    pending, attempts, own_port = {}, [], FIRST_PORT

    def take(sock):
        while True:
            try:
                packet = sock.recv(64)
            except BlockingIOError:
                return
            tcp = (packet[0] & 15) * 4
            sport, dport = struct.unpack_from("!HH", packet, tcp)
            key = (packet[12:16], sport, dport)
            if key in pending and packet[tcp + 13] & (RST | SYN):
                number, start, begun = pending.pop(key)
                outcome = "refused" if packet[tcp + 13] & RST else "open"
                attempts.append((number, start, time.monotonic_ns() - begun, outcome))

    next_round, running, ready = time.monotonic_ns(), True, False
    while running or pending:
        now = time.monotonic_ns()
        if running and now >= next_round:
            for number, (_, source, address, port) in enumerate(targets):
                own_port = own_port + 1 if own_port < LAST_PORT else FIRST_PORT
                pending[socket.inet_aton(address), port, own_port] = (number, time.time_ns(), time.monotonic_ns())
                sockets[source].sendto(first_packet(source, own_port, address, port), (address, 0))
            next_round = max(next_round + interval, now)
        wake = next_round if running else now + interval
        for fd, _ in poll.poll(max(0, wake - time.monotonic_ns()) / 1e9):
            if fd != 0:
                take(by_descriptor[fd])
            elif not os.read(0, 4096):
                running = False
                poll.unregister(0)
        for key in list(pending):
            number, start, begun = pending[key]
            if now - begun < patience:
                break
            attempts.append((number, start, patience, "timeout"))
            del pending[key]
        if not ready and len(attempts) >= len(targets):
            ready = True
            print("ready", flush=True)
    report(attempts)


def first_packet(source, sport, address, dport):
    def header(checksum):
        return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, SYN, 64240, checksum, 0)

    whole = socket.inet_aton(source) + socket.inet_aton(address) + struct.pack("!HH", 6, 20) + header(0)
    total = sum(struct.unpack("!%dH" % (len(whole) // 2), whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header(~total & 0xFFFF)


if __name__ == "__main__":
    main()
