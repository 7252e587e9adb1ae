// Renders the page and escapes its values. Used by index.js.

const escapeHtml = text => String(text).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);

exports.renderPage = facts => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello from WebAssembly</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --ink: #1c2030; --soft: #5d6479; --paper: #f6f7fb; --card: #fff; --line: #e2e5ef; --accent: #5b4bdb; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e9ebf5; --soft: #9aa2ba; --paper: #12141d; --card: #1b1e2a; --line: #2c3042; --accent: #a79bff; }
  }
  * { box-sizing: border-box; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem 1rem;
    font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
  main { width: min(34rem, 100%); background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 2rem; }
  h1 { margin: 0 0 .4rem; font-size: 1.6rem; line-height: 1.2; letter-spacing: -.01em; }
  p { margin: 0; color: var(--soft); }
  dl { display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.2rem; margin: 1.5rem 0; padding: 1.2rem 0;
    border: solid var(--line); border-width: 1px 0; }
  dt { color: var(--soft); }
  dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
  form { display: flex; gap: .5rem; }
  input, button { font: inherit; padding: .55rem .8rem; border-radius: 8px; border: 1px solid var(--line); }
  input { flex: 1; min-width: 0; color: inherit; background: var(--paper); }
  button { color: var(--card); background: var(--accent); border-color: var(--accent); cursor: pointer; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  output { display: block; min-height: 1.6em; margin-top: .8rem; font-family: ui-monospace, monospace; font-size: .9rem; overflow-wrap: anywhere; }
</style>
<main>
  <h1>Hello from WebAssembly</h1>
  <p>This page was answered by a Node.js program that runs inside a virtual machine.</p>
  <dl>
    ${Object.entries(facts)
      .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
      .join('\n    ')}
  </dl>
  <form>
    <input name="message" aria-label="Message" placeholder="Say something" autocomplete="off" required>
    <button>Echo</button>
  </form>
  <output aria-live="polite"></output>
</main>
<script>
  document.querySelector('form').addEventListener('submit', async event => {
    event.preventDefault();
    const body = new FormData(event.target).get('message');
    const answer = await fetch('echo', { method: 'POST', headers: { 'content-type': 'text/plain' }, body });
    document.querySelector('output').textContent = answer.status + ' ' + (await answer.text());
  });
</script>
</html>
`;
