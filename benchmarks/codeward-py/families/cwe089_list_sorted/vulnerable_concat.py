def FN(SIGNATURE):
    query = "SELECT id, name, price FROM products ORDER BY " + COLUMN
    return connection.execute(query).fetchall()
