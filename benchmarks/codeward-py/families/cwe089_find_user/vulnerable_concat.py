def FN(SIGNATURE):
    cursor = connection.cursor()
    cursor.execute("SELECT id, name, email FROM users WHERE name = '" + NAME + "'")
    return cursor.fetchone()
