def FN(SIGNATURE):
    query = "DELETE FROM items WHERE owner = ?"
    cursor = connection.execute(query, (OWNER,))
    connection.commit()
    return cursor.rowcount
