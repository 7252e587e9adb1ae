// An Express app for wasmrun's OS mode: a page with a form, some JSON, and a static file. With `npm start` it runs in
// Node.js itself.

const express = require('express');

const app = express();
const guests = [];
const escapeHtml = text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);

app.use(express.static('public'));
app.use(express.urlencoded({ extended: true }));

app.get('/', (_request, response) => {
  response.send(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Guests</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
<h1>Guests</h1>
<ul>${guests.map(name => `<li>${escapeHtml(name)}</li>`).join('')}</ul>
<form method="post" action="guests"><input name="name" aria-label="Name" required> <button>Add</button></form>
</html>`);
});

app.get('/guests', (_request, response) => response.json(guests));

app.post('/guests', (request, response) => {
  guests.push(String(request.body.name));
  response.redirect(303, './');
});

app.listen(process.env.PORT || 3000, () => console.log('listening'));
