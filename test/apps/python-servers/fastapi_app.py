from fastapi import FastAPI, Form, WebSocket
from fastapi.responses import HTMLResponse

app = FastAPI()
PAGE = """<!doctype html><title>FastAPI</title><link rel="icon" href="data:,">
<h1></h1><p id="socket"></p>
<form method="post" action="/say"><input name="word"><button>Say</button></form>
<script>
// The app's route is /words/: without the slash it answers with an absolute redirect.
fetch('/words').then(answer => answer.json()).then(words => {
  document.querySelector('h1').textContent = words.join(' ');
});
const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
socket.onopen = () => socket.send('ping');
socket.onmessage = ({ data }) => { document.querySelector('#socket').textContent = data; };
</script>"""


@app.get("/", response_class=HTMLResponse)
def index():
    return PAGE


@app.get("/words/")
def words():
    return ["first", "words"]


@app.post("/say/", response_class=HTMLResponse)
def say(word: str = Form()):
    return f'<!doctype html><link rel="icon" href="data:,"><p id="said">{word}</p>' if word.isalnum() else ""


@app.websocket("/socket")
async def talk(socket: WebSocket):
    await socket.accept()
    if await socket.receive_text() == "ping":
        await socket.send_text("pong")
    await socket.receive()
