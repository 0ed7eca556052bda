import csv


def FN(SIGNATURE):
    with open(SHEET, "w", newline="") as handle:
        writer = csv.writer(handle)
        for row in TABLE:
            cells = [value.lstrip("=+-@") for value in row]
            writer.writerow(cells)
