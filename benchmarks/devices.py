"""Log-ins of colleagues behind one IP address, on known devices and on new ones.

The site is that of `benchmarks.sharing`. Each person has 30 seconds, and sends the form
again when the site asks for it, as forms.js does.
"""

import multiprocessing
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from multiprocessing.synchronize import Event
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks import print_table, require_packages
from benchmarks.sharing import ACCEPTED, LOGIN, served
from tests.support.live import PASSWORD, Site
from tests.support.proxying import Neighbor

COLLEAGUES = 20
LONGEST = 30  # seconds
BUSY = 503
OFFICE = "127.0.1.1"
CONNECTIONS = 16
NETWORKS = 64
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Person(Neighbor):
    """A visitor who logs in within a time, and counts the tries."""

    tries = 0
    csrf_token = ""

    def prepare(self, number: int, password: str = PASSWORD) -> bytes:
        """Return a log-in form of one of many people."""
        token = self.token(LOGIN)
        self.csrf_token = self.cookies["__Host-csrftoken"].value
        fields = {
            "csrfmiddlewaretoken": token,
            "login": f"person{number}@example.com",
            "password": password,
        }
        return urlencode(fields).encode()

    def send(self, body: bytes) -> int:
        """Send the form until it is processed, and return the last status."""
        deadline = time.monotonic() + LONGEST
        self.tries = 0
        while True:
            self.tries += 1
            status = self.send_once(body)
            if status != BUSY or time.monotonic() > deadline:
                return status
            time.sleep(1)

    def forget(self, *, keeps_device: bool) -> None:
        """Return to the cookies of the form, and perhaps to that of the device."""
        device = self.cookies.get("__Host-device")
        self.cookies = SimpleCookie({"__Host-csrftoken": self.csrf_token})
        if device and keeps_device:
            self.cookies["__Host-device"] = device.value

    def send_once(self, body: bytes) -> int:
        """Send the form, keep the answer's cookies, and return its status."""
        pairs = [f"{name}={cookie.value}" for name, cookie in self.cookies.items()]
        headers = {**self.own_headers, **FORM, "Cookie": "; ".join(pairs)}
        connection = self.connection()
        try:
            connection.request("POST", LOGIN, body, headers)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self.cookies.load(cookie)
        return response.status


class Figures(NamedTuple):
    """How many people are logged in, and how many of them at their first try."""

    logged_in: int
    at_first_try: int


def make_people(
    site: Site, first: int, *, known: bool = False, address: str = OFFICE
) -> list[tuple[Person, bytes]]:
    """Return people with their forms, who have logged in before if they are known."""
    people: list[tuple[Person, bytes]] = []
    for number in range(COLLEAGUES):
        person = Person(site, ip_address=address.format(number + 1))
        if known:
            if person.send(person.prepare(first + number)) != ACCEPTED:
                raise RuntimeError(number)
            person.forget(keeps_device=True)
        people.append((person, person.prepare(first + number)))
    return people


def log_in(people: list[tuple[Person, bytes]]) -> Figures:
    """Let all of them send their forms at the same moment."""
    start = threading.Barrier(len(people))

    def send(pair: tuple[Person, bytes]) -> tuple[bool, bool]:
        person, body = pair
        start.wait()
        is_in = person.send(body) == ACCEPTED
        return is_in, is_in and person.tries == 1

    with ThreadPoolExecutor(len(people)) as threads:
        results = list(threads.map(send, people))
    logged_in = sum(is_in for is_in, _ in results)
    at_first_try = sum(is_first for _, is_first in results)
    return Figures(logged_in, at_first_try)


def guess(site: Site, number: int) -> None:
    """Send wrong passwords for other accounts from the address of the colleagues."""
    for account in range(number):
        stranger = Person(site, ip_address=OFFICE)
        stranger.send(stranger.prepare(900 + account, "wrong"))


def attack(site: Site, ready: Event, done: Event, *, keep_devices: bool) -> None:
    """Log in without a pause to 64 accounts of the attacker's, each from a network."""

    def send(thread: int) -> Counter[int]:
        statuses = Counter[int]()
        bodies: list[tuple[Person, bytes]] = []
        for number in range(thread, NETWORKS, CONNECTIONS):
            guest = Person(site, ip_address=f"127.0.2.{number + 1}")
            body = guest.prepare(number).replace(b"person", b"attacker")
            bodies.append((guest, body))
        ready.set()
        while not done.is_set():
            for guest, body in bodies:
                statuses[guest.send_once(body)] += 1
                guest.forget(keeps_device=keep_devices)
        return statuses

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        statuses = sum(threads.map(send, range(CONNECTIONS)), Counter[int]())
    print("answers to the attackers:", dict(statuses), file=sys.stderr, flush=True)


@contextmanager
def attacked(site: Site, *, keep_devices: bool = False) -> Iterator[None]:
    """Run the attack in a process of its own while the body runs."""
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    done = fork.Event()
    attacker = fork.Process(
        target=attack, args=(site, ready, done), kwargs={"keep_devices": keep_devices}
    )
    attacker.start()
    ready.wait()
    time.sleep(3)
    yield
    done.set()
    attacker.join()


def measure(site: Site) -> Iterator[tuple[str, int, int]]:
    """Yield what is counted, the number of 20, and the least that it may be."""
    new = make_people(site, 0)
    yield "new devices, quiet: at the first try", log_in(new).at_first_try, 20
    known = make_people(site, 100, known=True)
    guess(site, 10)
    name = "known devices, after ten wrong passwords from their address"
    yield name, log_in(known).logged_in, 20
    new = make_people(site, 200)
    guess(site, 10)
    name = "new devices, after ten wrong passwords from their address"
    yield name, log_in(new).logged_in, 15
    known = make_people(site, 300, known=True)
    new = make_people(site, 400, address="127.0.3.{}")
    colleagues = make_people(site, 600)
    with attacked(site):
        name = "known devices, beside 16 connections from 64 networks"
        yield name, log_in(known).logged_in, 20
        name = "new devices of 20 addresses, beside 16 connections from 64 networks"
        yield name, log_in(new).logged_in, 15
        name = "new devices of one address, beside 16 connections from 64 networks"
        yield name, log_in(colleagues).logged_in, 0
    known = make_people(site, 500, known=True)
    with attacked(site, keep_devices=True):
        name = "known devices, beside as many known devices of the attacker"
        yield name, log_in(known).logged_in, 20


def main() -> None:
    """Print the table, and fail if a figure is out of its bounds."""
    require_packages("nginx", "postgresql")
    rows: list[list[object]] = []
    with served() as (site, _):
        for name, value, least in measure(site):
            rows.append([name, value, f"at least {least}"])
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    print_table(["log-ins of 20 colleagues", "result", "accepted"], rows)
    if any(
        int(str(value)) < int(str(least).rpartition(" ")[2]) for _, value, least in rows
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
