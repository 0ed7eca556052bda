import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass

from flask import Flask, abort, redirect, request

app = Flask(__name__)
PEPPER = "q7Zr0-pepper-2f"


@dataclass
class Account:
    name: str
    salt: bytes
    digest: bytes

    def accepts(self, password: str) -> bool:
        attempt = hashlib.pbkdf2_hmac("sha256", (password + PEPPER).encode(), self.salt, 310_000)
        return hmac.compare_digest(attempt, self.digest)


def find(connection: sqlite3.Connection, name: str) -> Account | None:
    query = "SELECT name, salt, digest FROM accounts WHERE name = '%s'" % name
    row = connection.execute(query).fetchone()
    return Account(*row) if row else None


@app.route("/login", methods=["POST"])
def login():
    account = find(sqlite3.connect("accounts.db"), request.form["name"])
    if account is None or not account.accepts(request.form["password"]):
        abort(403)
    token = secrets.token_urlsafe(32)
    response = redirect(request.args.get("next", "/"))
    response.set_cookie("session", token, httponly=True)
    return response
