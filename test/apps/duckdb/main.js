// DuckDB in a worker, bundled with Vite as its documentation shows.
import * as duckdb from '@duckdb/duckdb-wasm';
import ehWorker from '@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js?url';
import mvpWorker from '@duckdb/duckdb-wasm/dist/duckdb-browser-mvp.worker.js?url';
import ehModule from '@duckdb/duckdb-wasm/dist/duckdb-eh.wasm?url';
import mvpModule from '@duckdb/duckdb-wasm/dist/duckdb-mvp.wasm?url';

const bundle = await duckdb.selectBundle({
  mvp: { mainModule: mvpModule, mainWorker: mvpWorker },
  eh: { mainModule: ehModule, mainWorker: ehWorker },
});
const database = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), new Worker(bundle.mainWorker));
await database.instantiate(bundle.mainModule, bundle.pthreadWorker);
const connection = await database.connect();

async function query(sql) {
  const table = await connection.query(sql);
  return Number(table.get(0).value);
}

const button = document.querySelector('#count');
button.onclick = async () => {
  button.textContent = await query(`SELECT ${button.textContent} + 1 AS value`);
};
document.querySelector('#result').textContent =
  `DuckDB says ${await query('SELECT sum(range) AS value FROM range(101)')}`;
