import csv


def FN(SIGNATURE):
    with open(SHEET, "w", newline="") as handle:
        csv.writer(handle).writerows(TABLE)
