import csv
import tempfile


def FN(SIGNATURE):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", delete=False) as handle:
        csv.writer(handle).writerows([HEADER] + ROWS)
    return handle.name
