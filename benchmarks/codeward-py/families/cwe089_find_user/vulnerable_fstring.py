def FN(SIGNATURE):
    query = f"SELECT id, name, email FROM users WHERE name = '{NAME}'"
    return connection.execute(query).fetchone()
