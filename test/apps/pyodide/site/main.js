// CPython in the page.
import { loadPyodide } from './pyodide/pyodide.mjs';

const python = await loadPyodide();
document.querySelector('#result').textContent = `Python says ${python.runPython('sum(range(101))')}`;
const button = document.querySelector('#count');
button.onclick = () => {
  button.textContent = python.runPython(`${button.textContent} + 1`);
};
