def solve(text):
    rows = [[int(word) for word in line.split()] for line in text.splitlines()]
    columns = list(zip(*rows))
    product = [[sum(left * right for left, right in zip(row, column)) for column in columns] for row in rows]
    return "\n".join(" ".join(map(str, row)) for row in product)
