def FN(SIGNATURE):
    query = f"DELETE FROM items WHERE owner = '{OWNER}'"
    cursor = connection.execute(query)
    connection.commit()
    return cursor.rowcount
