#!/usr/bin/env python3
"""What the workloads must find, computed from the meaning of the patterns and nothing of the engine.

    brute_force.py W1 cards.ndjson                  prints the number of matches and a digest of their (key, from, to)
    brute_force.py W1 cards.ndjson alerts.ndjson    compares with the rows that `leitmotif run` wrote; exit code 1 if they differ

Each function lists candidates as docs/semantics.md defines them, start by start, and then chooses matches in the prescribed order.
The digest is a sum of hashes: it does not depend on the order of the rows. Standard library only; a minute and 2 GB for two million events.
"""

import hashlib
import json
import sys
from bisect import bisect_right
from collections import defaultdict

SECOND, MINUTE = 1_000, 60_000


def hash_of(*parts):
    text = "|".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


class Rows:
    """Rows seen so far: how many, and digests of what they say."""

    def __init__(self):
        self.count = 0
        self.places = 0
        self.values = 0

    def add(self, key, start, end, values=()):
        self.count += 1
        self.places = (self.places + hash_of(key, start, end)) % 2**64
        if values:
            self.values = (self.values + hash_of(key, start, *values)) % 2**64

    def __str__(self):
        return f"matches={self.count} digest={self.places:016x} values={self.values:016x}"

    def __eq__(self, other):
        return (self.count, self.places, self.values) == (other.count, other.places, other.values)


def by_key(path, key, pick):
    """Events of each key in order of time: (time, *pick(record))."""
    streams = defaultdict(list)
    with open(path, "rb") as lines:
        for line in lines:
            # Amounts stay text: cents are exact.
            record = json.loads(line, parse_float=str)
            streams[record[key] if key else None].append((record["ts"], *pick(record)))
    for stream in streams.values():
        stream.sort(key=lambda event: event[0])
    return streams


def cents(text):
    whole, _, part = str(text).partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def txn(record):
    return record["kind"], cents(record["amount"])


def reading(record):
    return record["kind"], cents(record["value"])


def first_after(positions, i):
    """The first of the sorted positions after i, or None."""
    at = bisect_right(positions, i)
    return positions[at] if at < len(positions) else None


def choose(candidates):
    """(last, first) positions of candidates -> those that `skip past match` leaves: in order, none starting at or before an earlier match's last."""
    barred = -1
    for last, first in sorted(candidates):
        if first > barred:
            barred = last
            yield first, last


def two_step(path):
    """W1: small, then the first later large; within 10m."""
    for card, events in by_key(path, "card", txn).items():
        large = [i for i, (_, kind, c) in enumerate(events) if kind == "auth" and c > 80_000]
        candidates = []
        for i, (t, kind, c) in enumerate(events):
            if kind == "auth" and c < 200:
                j = first_after(large, i)
                if j is not None and events[j][0] - t <= 10 * MINUTE:
                    candidates.append((j, i))
        for first, last in choose(candidates):
            yield card, events[first][0], events[last][0], ()


def declines(path):
    """W2: three or more declines, each the next one; none between the last and the first later auth above 500; within 10m."""
    for card, events in by_key(path, "card", txn).items():
        refused = [i for i, (_, kind, _) in enumerate(events) if kind == "decline"]
        spent = [i for i, (_, kind, c) in enumerate(events) if kind == "auth" and c > 50_000]
        candidates = []
        for n, first in enumerate(refused):
            for m in range(n + 2, len(refused)):
                j = first_after(spent, refused[m])
                following = refused[m + 1] if m + 1 < len(refused) else None
                if j is None or (following is not None and following < j):
                    continue
                if events[j][0] - events[first][0] <= 10 * MINUTE:
                    candidates.append((j, first))
        for first, last in choose(candidates):
            yield card, events[first][0], events[last][0], ()


def rising(path):
    """W3: temperatures above 85, each the first later one higher than the one before; vibration above 2.5 before the next such; within 5m."""
    for device, events in by_key(path, "device", reading).items():
        shakes = [i for i, (_, kind, v) in enumerate(events) if kind == "vibration" and v > 250]
        hot = [i for i, (_, kind, v) in enumerate(events) if kind == "temp" and v > 8_500]
        candidates = set()
        for n, first in enumerate(hot):
            at, m = first, n
            while at is not None:
                following = next((k for k in range(m + 1, len(hot)) if events[hot[k]][2] > events[at][2]), None)
                higher = hot[following] if following is not None else None
                j = first_after(shakes, at)
                if j is not None and (higher is None or j < higher) and events[j][0] - events[first][0] <= 5 * MINUTE:
                    candidates.add((j, first))
                if higher is not None and events[higher][0] - events[first][0] > 5 * MINUTE:
                    break
                at, m = higher, following
        for first, last in choose(candidates):
            yield device, events[first][0], events[last][0], ()


def silence(path):
    """W4: a door that opens and no temperature below 60 in the two minutes after it, their end excluded."""
    for device, events in by_key(path, "device", reading).items():
        cold = [i for i, (_, kind, v) in enumerate(events) if kind == "temp" and v < 6_000]
        for i, (t, kind, v) in enumerate(events):
            if kind == "door" and v == 100:
                j = first_after(cold, i)
                if j is None or events[j][0] >= t + 2 * MINUTE:
                    yield device, t, t, ()


def combinations(path):
    """W5: every buy of S001, every later large S002, every still later large S003, all within 200ms."""
    events = by_key(path, None, lambda r: (r["symbol"], r["kind"], r["volume"]))[None]
    seconds = [t for t, symbol, _, volume in events if symbol == "S002" and volume > 500]
    thirds = [t for t, symbol, _, volume in events if symbol == "S003" and volume > 500]
    for t, symbol, kind, _ in events:
        if symbol == "S001" and kind == "buy":
            end = t + 200
            for b in seconds[bisect_right(seconds, t):bisect_right(seconds, end)]:
                for c in thirds[bisect_right(thirds, b):bisect_right(thirds, end)]:
                    yield None, t, c, ()


def tumbling(path):
    """W6: per device and minute the number, sum and maximum of temperatures."""
    for device, events in by_key(path, "device", reading).items():
        windows = defaultdict(list)
        for t, kind, v in events:
            if kind == "temp":
                windows[t // MINUTE * MINUTE].append(v)
        for start, held in windows.items():
            yield device, start, start + MINUTE, (len(held), sum(held), max(held))


def hopping(path):
    """W7: per card and window of five minutes, every thirty seconds, sum and number of payments."""
    size, every = 5 * MINUTE, 30 * SECOND
    for card, events in by_key(path, "card", txn).items():
        windows = defaultdict(lambda: [0, 0])
        for t, _, c in events:
            newest = t // every * every
            for start in range(newest, t - size, -every):
                window = windows[start]
                window[0] += c
                window[1] += 1
        for start, (total, held) in windows.items():
            yield card, start, start + size, (total, held)


def hundredths(number):
    """A sum of floats, rounded to what was added up."""
    return round(float(number) * 100)


# What is expected, and which values of a row's record are compared.
WORKLOADS = {
    "W1": (two_step, lambda r: ()),
    "W2": (declines, lambda r: ()),
    "W3": (rising, lambda r: ()),
    "W4": (silence, lambda r: ()),
    "W5": (combinations, lambda r: ()),
    "W6": (tumbling, lambda r: (r["readings"], hundredths(r["total"]), hundredths(r["peak"]))),
    "W7": (hopping, lambda r: (hundredths(r["spent"]), r["payments"])),
}


def read_rows(workload, path):
    """The rows of a file of alerts."""
    _, values = WORKLOADS[workload]
    found = Rows()
    with open(path, "rb") as lines:
        for line in lines:
            row = json.loads(line)
            found.add(row["key"], row["from"], row["to"], values(row["record"]))
    return found


def main():
    if len(sys.argv) not in (3, 4) or sys.argv[1].upper() not in WORKLOADS:
        sys.exit("usage: brute_force.py W1|…|W7 EVENTS.ndjson [ALERTS.ndjson]")
    search, values = WORKLOADS[sys.argv[1].upper()]
    expected = Rows()
    for key, start, end, said in search(sys.argv[2]):
        expected.add(key, start, end, said)
    print(sys.argv[1].upper(), expected)
    if len(sys.argv) == 3:
        return
    found = read_rows(sys.argv[1].upper(), sys.argv[3])
    if found != expected:
        print(f"{sys.argv[3]}: {found} is not what was expected")
        sys.exit(1)


if __name__ == "__main__":
    main()
