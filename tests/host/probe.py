#!/usr/bin/env python3
"""Root's hands of the C tests in this folder: reads a command a line, answers a line. Started before the test gives up its
capabilities. NS is a name in /run/netns.

    tcp NS FROM ADDRESS PORT [SECONDS]     ok, refused, timeout: a connection, and four bytes there and back; FROM: - or an address
    serve NS ADDRESS PORT                  an echo server in the background; says from whom it was asked by `peer`
    peer NS PORT                           the address of the last client
    udp, userve                            likewise with datagrams
    hold NS ADDRESS PORT NAME              a connection that stays open; `held NAME` echoes through it: ok or the error
    sh COMMAND…                            exit code and last line of its output
    flood NS ADDRESS PORT SECONDS          Mbit/s of one TCP stream to a `sink NS ADDRESS PORT`
"""
import os
import select
import socket
import subprocess
import sys
import threading
import time

import ctypes

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
home = os.open("/proc/self/ns/net", os.O_RDONLY)
peers, held = {}, {}


def make_socket(ns, family, kind):
    """Namespaces are a thread's own: only the command thread goes anywhere."""
    fd = os.open("/run/netns/" + ns, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        return socket.socket(family, kind)
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(fd)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def echo(s, key):
    while True:
        try:
            c, peer = s.accept()
        except OSError:
            return
        peers[key] = peer[0]
        threading.Thread(target=echo_client, args=(c,), daemon=True).start()


def echo_client(c):
    try:
        while True:
            data = c.recv(65536)
            if not data:
                break
            c.sendall(data)
    except OSError:
        pass
    c.close()


def serve(ns, address, port):
    s = make_socket(ns, family_of(address), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen(64)
    threading.Thread(target=echo, args=(s, (ns, port)), daemon=True).start()
    return "ok"


def uecho(s, key):
    while True:
        data, peer = s.recvfrom(2048)
        peers[key] = peer[0]
        s.sendto(data, peer)


def userve(ns, address, port):
    s = make_socket(ns, family_of(address), socket.SOCK_DGRAM)
    s.bind((address, int(port)))
    threading.Thread(target=uecho, args=(s, (ns, port)), daemon=True).start()
    return "ok"


def ask(s, close=True):
    s.sendall(b"ping")
    got = s.recv(4)
    if close:
        s.close()
    return "ok" if got == b"ping" else "nothing"


def connect(kind, ns, source, address, port, seconds="0.4"):
    s = make_socket(ns, family_of(address), kind)
    s.settimeout(float(seconds))
    if source != "-":
        s.bind((source, 0))
    s.connect((address, int(port)))
    return s


def tcp(*args):
    return ask(connect(socket.SOCK_STREAM, *args))


def udp(*args):
    return ask(connect(socket.SOCK_DGRAM, *args))


def hold(ns, address, port, name):
    held[name] = connect(socket.SOCK_STREAM, ns, "-", address, port, "2")
    return ask(held[name], False)


def sink(ns, address, port):
    s = make_socket(ns, family_of(address), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen(8)
    if os.fork() == 0:
        libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: ends with the probe
        os.close(0)
        os.close(1)
        buffer = bytearray(1 << 20)
        while True:
            c, _ = s.accept()
            while c.recv_into(buffer):
                pass
    s.close()
    return "ok"


def flood(ns, address, port, seconds):
    s = connect(socket.SOCK_STREAM, ns, "-", address, port, "2")
    data, total = bytes(1 << 20), 0
    begun = time.monotonic()
    while time.monotonic() < begun + float(seconds):
        total += s.send(data)
    took = time.monotonic() - begun
    s.close()
    return f"{total * 8 / took / 1e6:.0f}"


def shell(*words):
    p = subprocess.run(["sh", "-c", " ".join(words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = p.stdout.strip().splitlines()
    return f"{p.returncode} {lines[-1] if lines else ''}"


COMMANDS = {"tcp": tcp, "udp": udp, "serve": serve, "userve": userve, "hold": hold, "sink": sink, "flood": flood, "sh": shell,
            "held": lambda name: ask(held[name], False), "peer": lambda ns, port: peers.pop((ns, port), "nobody")}

for line in sys.stdin:
    words = line.split()
    try:
        answer = COMMANDS[words[0]](*words[1:])
    except (socket.timeout, TimeoutError):
        answer = "timeout"
    except ConnectionRefusedError:
        answer = "refused"
    except OSError as e:
        answer = f"error {e}"
    print(answer, flush=True)
