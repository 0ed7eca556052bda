def FN(SIGNATURE):
    columns = {"id": "id", "name": "name", "price": "price"}
    query = "SELECT id, name, price FROM products ORDER BY " + columns[COLUMN]
    return connection.execute(query).fetchall()
