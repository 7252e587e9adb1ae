// Renders an SVG to a PNG with resvg: Rust, built with wasm-bindgen.
import { initWasm, Resvg } from './index.mjs';

const svg = size =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><circle r="${size}" fill="red"/></svg>`;
const render = size => new Resvg(svg(size)).render();

await initWasm(fetch('index_bg.wasm'));
const image = document.createElement('img');
image.src = URL.createObjectURL(new Blob([render(64).asPng()], { type: 'image/png' }));
await image.decode();
document.body.append(image);
document.querySelector('#result').textContent = `A PNG, ${image.naturalWidth} pixels wide`;
const button = document.querySelector('#count');
button.onclick = () => {
  button.textContent = render(Number(button.textContent) + 1).width;
};
