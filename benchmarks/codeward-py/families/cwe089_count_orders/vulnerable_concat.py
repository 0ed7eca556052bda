def FN(SIGNATURE):
    cursor = connection.cursor()
    cursor.execute("SELECT COUNT(*) FROM orders WHERE status = '" + STATUS + "'")
    return cursor.fetchone()[0]
