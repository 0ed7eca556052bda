def FN(SIGNATURE):
    query = "SELECT id, name, email FROM users WHERE name = ?"
    return connection.execute(query, (NAME,)).fetchone()
