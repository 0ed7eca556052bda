def FN(SIGNATURE):
    query = "SELECT COUNT(*) FROM orders WHERE status = ?"
    return connection.execute(query, (STATUS,)).fetchone()[0]
