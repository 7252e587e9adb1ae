// Queries an SQLite database in sql.js's own worker, as its documentation shows.
const worker = new Worker('worker.sql-wasm.js');
const waiting = new Map();
worker.onmessage = ({ data }) => waiting.get(data.id)?.(data);

let id = 0;
function ask(message) {
  id += 1;
  worker.postMessage({ id, ...message });
  return new Promise(resolve => waiting.set(id, resolve));
}

async function query(sql) {
  const { results } = await ask({ action: 'exec', sql });
  return results[0].values[0][0];
}

const button = document.querySelector('#count');
button.onclick = async () => {
  button.textContent = await query(`SELECT ${button.textContent} + 1`);
};
await ask({ action: 'open' });
const sum = await query(
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT sum(i) FROM n',
);
document.querySelector('#result').textContent = `SQLite says ${sum}`;
