import csv
import os
import tempfile


def FN(SIGNATURE):
    path = os.path.join(tempfile.gettempdir(), "export.csv")
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([HEADER] + ROWS)
    return path
