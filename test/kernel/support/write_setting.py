"""Writes values to a setting, one after the other, so many a second: write_setting.py PATH RATE COUNT VALUE..."""

import itertools
import os
import sys
import time

path, rate, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
values = itertools.cycle(value.encode() for value in sys.argv[4:])
file = os.open(path, os.O_WRONLY)
begin = time.monotonic()
for number in range(count):
    due = begin + number / rate
    while (left := due - time.monotonic()) > 0:
        if left > 0.0005:
            time.sleep(left - 0.0002)
    os.pwrite(file, next(values), 0)
print(round(count / (time.monotonic() - begin)))
