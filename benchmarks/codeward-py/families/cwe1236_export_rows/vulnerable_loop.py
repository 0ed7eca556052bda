import csv


def FN(SIGNATURE):
    with open(SHEET, "w", newline="") as handle:
        writer = csv.writer(handle)
        for row in TABLE:
            writer.writerow(row)
