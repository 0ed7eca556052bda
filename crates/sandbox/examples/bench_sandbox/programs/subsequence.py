def solve(text):
    first, second = text.split()
    rows = [[0] * (len(second) + 1)]
    for letter in first:
        above = rows[-1]
        row = [0]
        for column, other in enumerate(second):
            row.append(above[column] + 1 if letter == other else max(above[column + 1], row[column]))
        rows.append(row)
    return str(rows[-1][-1])
