import csv


def FN(SIGNATURE):
    signs = ("=", "+", "-", "@")
    with open(SHEET, "w", newline="") as handle:
        writer = csv.writer(handle)
        for row in TABLE:
            cells = ["'" + value if value.startswith(signs) else value for value in row]
            writer.writerow(cells)
