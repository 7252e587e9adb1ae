const Koa = require('koa');

const app = new Koa();
const page = body => `<!doctype html><title>Koa</title><link rel="icon" href="data:,">${body}`;
const FORM = '<h1>first words</h1><form method="post" action="/say"><input name="word"><button>Say</button></form>';

app.use(async context => {
  if (context.method !== 'POST') {
    const word = context.query.word ?? '';
    context.body = page(word === '' ? FORM : `<p id="said">${word.replace(/\W/g, '')}</p>`);
    return;
  }
  const chunks = [];
  for await (const chunk of context.req) chunks.push(chunk);
  context.status = 303;
  context.redirect(`/?${Buffer.concat(chunks)}`);
});
app.listen(3000);
