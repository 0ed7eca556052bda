import csv
import io


def FN(SIGNATURE):
    handle = io.StringIO()
    csv.writer(handle).writerow(CELLS)
    return handle.getvalue().rstrip("\r\n")
