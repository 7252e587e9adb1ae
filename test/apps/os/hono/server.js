const { serve } = require('@hono/node-server');
const { Hono } = require('hono');

const app = new Hono();
const page = body => `<!doctype html><title>Hono</title><link rel="icon" href="data:,">${body}`;
const FORM = '<h1>first words</h1><form method="post" action="/say"><input name="word"><button>Say</button></form>';

app.get('/', context => context.html(page(FORM)));
app.get('/said/:word', context => context.html(page(`<p id="said">${context.req.param('word').replace(/\W/g, '')}</p>`)));
app.post('/say', async context => {
  const form = new URLSearchParams(await context.req.text());
  return context.redirect(`/said/${form.get('word')}`, 303);
});
serve({ fetch: app.fetch, port: 3000 });
