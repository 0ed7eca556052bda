def solve(text):
    rows = [line.split(",") for line in text.splitlines()]
    name_width = max(len(name) for name, _, _ in rows)
    lines = []
    total = 0
    for name, amount, price in rows:
        cost = int(amount) * int(price)
        total += cost
        lines.append(f"{name.title():<{name_width}} {int(amount):>6,d} {int(price) / 100:>9.2f} {cost / 100:>12,.2f}")
    lines.append(f"{'Total':<{name_width}} {'':>6} {'':>9} {total / 100:>12,.2f}")
    return "\n".join(lines)
