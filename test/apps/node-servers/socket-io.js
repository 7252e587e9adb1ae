import { createServer } from 'node:http';
import express from 'express';
import { Server } from 'socket.io';

const app = express();
const server = createServer(app);
const io = new Server(server);
io.on('connection', socket => {
  socket.on('ping', answer => answer('pong'));
});
app.get('/', (_request, response) => {
  response.send(`<!doctype html><title>Socket.IO</title><link rel="icon" href="data:,">
<h1>first words</h1><p id="socket"></p><p id="transport"></p><script src="/socket.io/socket.io.js"></script><script>
const socket = io();
const show = (id, text) => { document.querySelector(id).textContent = text; };
socket.on('connect', () => {
  socket.emit('ping', word => show('#socket', word));
  const { engine } = socket.io;
  show('#transport', engine.transport.name);
  engine.on('upgrade', () => show('#transport', engine.transport.name));
});
</script>`);
});
server.listen(process.env.PORT);
