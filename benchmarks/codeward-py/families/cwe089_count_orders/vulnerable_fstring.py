def FN(SIGNATURE):
    query = f"SELECT COUNT(*) FROM orders WHERE status = '{STATUS}'"
    return connection.execute(query).fetchone()[0]
