import csv
import os
import tempfile


def FN(SIGNATURE):
    descriptor, path = tempfile.mkstemp(suffix=".csv")
    with os.fdopen(descriptor, "w", newline="") as handle:
        csv.writer(handle).writerows([HEADER] + ROWS)
    return path
