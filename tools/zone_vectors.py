#!/usr/bin/env python3
"""Writes test/vectors/zones.txt: calendar windows as Python's zoneinfo sees them.

usage: tools/zone_vectors.py ZONE_DIRECTORY [ZONE...] > test/vectors/zones.txt

The tests of weir_zone_window run on these vectors and on the TZif files of test/vectors/zoneinfo,
which are committed too, so that a change of some country's mind does not fail the tests. To renew
both, put new files there (`zic -b slim -d DIR /usr/share/zoneinfo/tzdata.zi` makes them) and run
this with test/vectors/zoneinfo as ZONE_DIRECTORY.

The method is meant to be slow and obvious. It knows nothing of offsets tables: it asks zoneinfo for
the local time of one second after another, and takes the definition of zone.h at its word.
"""

import functools
import os
import random
import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone

ZONES = ["UTC", "Europe/Rome", "Europe/Dublin", "America/New_York", "America/Sao_Paulo",
         "America/St_Johns", "America/Nuuk", "Asia/Kolkata", "Asia/Beirut", "Asia/Gaza",
         "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia", "Australia/Lord_Howe",
         "Antarctica/Troll", "Pacific/Apia", "Pacific/Kwajalein"]
CHANGES = 8     # how many changes of each zone's clock are looked at from near
ELSEWHERE = 16  # how many other times
TIME_MAX = 2**52 // 10**6
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
HEAD = """\
# zones.txt - calendar windows, written by tools/zone_vectors.py. A line is a zone, a time in
# seconds since 1970, and for minute, hour, day, week, month and year: the seconds since the
# window opened and until it ends."""
AROUND = [-86400, -3600, -1, 0, 1, 1799, 3600, 7200]


class Clock:
    """The local clock of one zone."""

    def __init__(self, name):
        self.zone = zoneinfo.ZoneInfo(name)
        self.first = functools.lru_cache(maxsize=None)(self.first_instant)

    def local(self, second):
        return (EPOCH + timedelta(seconds=second)).astimezone(self.zone)

    def offset(self, second):
        return int(self.local(second).utcoffset().total_seconds())

    def changes(self):
        """The seconds at which the offset becomes another, found by asking every six hours."""
        found = []
        step = 6 * 3600
        before = self.offset(0)
        for second in range(step, TIME_MAX, step):
            now = self.offset(second)
            if now != before:
                low, high = second - step, second
                while high - low > 1:
                    middle = (low + high) // 2
                    if self.offset(middle) == before:
                        low = middle
                    else:
                        high = middle
                found.append(high)
            before = now
        return found

    def first_instant(self, day):
        """The first second at which the local date is `day` or later."""
        midnight = int((datetime(day.year, day.month, day.day, tzinfo=timezone.utc) - EPOCH)
                       .total_seconds())
        second = midnight - 27 * 3600
        while self.local(second).date() < day:
            second += 60
        while self.local(second - 1).date() >= day:
            second -= 1
        return second

    def clock_window(self, now, width):
        def opens(second):
            return ((second + self.offset(second)) % width == 0
                    or self.offset(second) != self.offset(second - 1))
        start = now
        while not opens(start):
            start -= 1
        end = now + 1
        while not opens(end):
            end += 1
        return start, end

    def date_window(self, now, first_of, next_of):
        # From well before: the last period that has begun.
        first = first_of(self.local(now - 2 * 86400).date())
        while self.first(next_of(first)) <= now:
            first = next_of(first)
        return self.first(first), self.first(next_of(first))


def next_month(first):
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def windows(clock, now):
    yield clock.clock_window(now, 60)
    yield clock.clock_window(now, 3600)
    yield clock.date_window(now, lambda d: d, lambda d: d + timedelta(days=1))
    yield clock.date_window(now, lambda d: d - timedelta(days=d.weekday()),
                            lambda d: d + timedelta(days=7))
    yield clock.date_window(now, lambda d: d.replace(day=1), next_month)
    yield clock.date_window(now, lambda d: d.replace(month=1, day=1),
                            lambda d: date(d.year + 1, 1, 1))


def moments(clock, name):
    generator = random.Random(name)
    changes = clock.changes()
    chosen = changes[-2:] + generator.sample(changes, min(CHANGES, len(changes)))
    found = {0, TIME_MAX}
    for change in chosen:
        found.update(change + away for away in AROUND)
    for _ in range(ELSEWHERE):
        found.add(generator.randrange(TIME_MAX))
    # New Year's Eve, Mondays and firsts of months are rare among random times.
    for year in (1972, 1999, 2000, 2024, 2099, 2100, 2101):
        found.add(clock.first(date(year, 1, 1)) - 1)
        found.add(clock.first(date(year, 3, 1)) - 1)
    if name == "Pacific/Apia":
        found.update(clock.first(date(2011, 12, 31)) + away for away in (-86401, -1, 0, 1))
    return sorted(second for second in found if 0 <= second <= TIME_MAX)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    zoneinfo.reset_tzpath(to=[os.path.abspath(sys.argv[1])])
    print(HEAD)
    for name in sys.argv[2:] or ZONES:
        clock = Clock(name)
        for now in moments(clock, name):
            parts = [f"{now - start} {end - now}" for start, end in windows(clock, now)]
            print(name, now, " ".join(parts))


if __name__ == "__main__":
    main()
