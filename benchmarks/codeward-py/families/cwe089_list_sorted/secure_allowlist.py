def FN(SIGNATURE):
    if COLUMN not in ("id", "name", "price"):
        raise ValueError("invalid column")
    query = f"SELECT id, name, price FROM products ORDER BY {COLUMN}"
    return connection.execute(query).fetchall()
