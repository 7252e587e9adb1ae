import express from 'express';
import helmet from 'helmet';

const app = express();
app.use(helmet());
app.use(express.urlencoded({ extended: false }));
const page = body => `<!doctype html><title>Express</title><link rel="icon" href="data:,">
<script src="/client.js" defer></script>${body}`;

app.get('/', (_request, response) => {
  response.send(
    page(`<h1>first words</h1><button id="count">0</button>
<form method="post" action="/say"><input name="word"><button>Say</button></form>`),
  );
});
app.post('/say', (request, response) => {
  const word = String(request.body.word).replace(/\W/g, '');
  response.redirect(303, `/said/${word}`);
});
app.get('/said/:word', ({ params }, response) => response.send(page(`<p id="said">${params.word}</p>`)));
app.get('/client.js', (_request, response) => {
  response.type('js').send(`const button = document.querySelector('#count');
button?.addEventListener('click', () => { button.textContent = Number(button.textContent) + 1; });`);
});
app.listen(process.env.PORT);
