// Draws each frame with app.wasm, which computes all pixels, and shows some figures about it. Used by index.html.

const MAX_PIXELS = 1920 * 1200;
/** If a frame takes longer, the next frames have fewer pixels, until drawing is fast enough. */
const FRAME_MS = 28;

const canvas = document.querySelector('#picture');
const context = canvas.getContext('2d', { alpha: false });
const still = matchMedia('(prefers-reduced-motion: reduce)');
const millions = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

let wasm;
let scale = Math.min(devicePixelRatio, 2);
let guided;
let shown = 0;

try {
  // Streaming works only with the media type application/wasm.
  const response = await fetch('app.wasm');
  const size = response.clone().arrayBuffer();
  ({ exports: wasm } = (await WebAssembly.instantiateStreaming(response)).instance);
  show('bytes', `${((await size).byteLength / 1000).toFixed(1)} kB`);
  show('isolated', crossOriginIsolated ? 'yes' : 'no');
  addEventListener('pointermove', event => guide(event));
  addEventListener('pointerdown', event => guide(event));
  document.documentElement.addEventListener('pointerleave', () => {
    guided = undefined;
  });
  addEventListener('resize', () => still.matches && draw(0));
  requestAnimationFrame(draw);
} catch (error) {
  const hint = document.querySelector('#hint');
  hint.textContent = `app.wasm did not start: ${error.message}`;
  hint.classList.add('failed');
}

function guide(event) {
  guided = [(event.clientX / innerWidth) * 2.2 - 1.3, (event.clientY / innerHeight) * 1.6 - 0.8];
  if (still.matches) requestAnimationFrame(draw);
}

function draw(now) {
  const [width, height] = chooseSize();
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const [re, im] = guided ?? wander(now);
  const began = performance.now();
  const steps = wasm.render(width, height, re, im, width > height ? 2.5 : 3.4);
  const took = performance.now() - began;
  const pixels = new Uint8ClampedArray(wasm.memory.buffer, wasm.pixels(), width * height * 4);
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
  adapt(took);
  if (now - shown > 250 || shown === 0) {
    shown = now || 1;
    describe({ re, im, steps, took });
  }
  if (!still.matches) requestAnimationFrame(draw);
}

/** Just outside the main cardioid of the Mandelbrot set, where the Julia sets are richest. */
function wander(now) {
  const angle = 1.9 + now / 9000;
  const [x, y] = [
    Math.cos(angle) / 2 - Math.cos(2 * angle) / 4,
    Math.sin(angle) / 2 - Math.sin(2 * angle) / 4,
  ];
  return [x * 1.06, y * 1.06];
}

function chooseSize() {
  const area = innerWidth * innerHeight * scale * scale;
  const factor = scale * Math.min(1, Math.sqrt(MAX_PIXELS / area)) * 0.999;
  return [Math.max(1, Math.floor(innerWidth * factor)), Math.max(1, Math.floor(innerHeight * factor))];
}

function adapt(took) {
  const most = Math.min(devicePixelRatio, 2);
  if (took > FRAME_MS) scale = Math.max(0.35, scale * 0.92);
  else if (took < FRAME_MS / 2) scale = Math.min(most, scale * 1.03);
}

function describe({ re, im, steps, took }) {
  show('rate', `${millions.format(steps / took / 1000)} million`);
  show('point', `${re.toFixed(2)} ${im < 0 ? '−' : '+'} ${Math.abs(im).toFixed(2)}i`.replace('-', '−'));
  show('time', `${took.toFixed(1)} ms`);
}

function show(id, text) {
  document.getElementById(id).textContent = text;
}
