from flask import Flask, redirect, request, session, url_for
from markupsafe import escape

app = Flask(__name__)
app.secret_key = "only-for-tests"


@app.get("/")
def index():
    return """<!doctype html><title>Flask</title><link rel="icon" href="data:,"><h1>first words</h1>
<form method="post" action="/say"><input name="word"><button>Say</button></form>"""


@app.post("/say")
def say():
    session["word"] = request.form["word"]
    return redirect(url_for("said", _external=True))


@app.get("/said")
def said():
    return f'<!doctype html><link rel="icon" href="data:,"><p id="said">{escape(session["word"])}</p>'
