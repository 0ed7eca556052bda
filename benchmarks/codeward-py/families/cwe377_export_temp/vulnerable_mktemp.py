import csv
import tempfile


def FN(SIGNATURE):
    path = tempfile.mktemp(suffix=".csv")
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([HEADER] + ROWS)
    return path
