// ffmpeg with threads, which share memory: the page must be cross-origin isolated.
const ffmpeg = new FFmpegWASM.FFmpeg();
const file = name => new URL(`core/${name}`, location.href).href;
await ffmpeg.load({
  coreURL: file('ffmpeg-core.js'),
  wasmURL: file('ffmpeg-core.wasm'),
  workerURL: file('ffmpeg-core.worker.js'),
});

/** Renders frames of a test picture and returns how many bytes the video has. */
async function render(frames) {
  const source = `testsrc=size=64x64:rate=5`;
  await ffmpeg.exec(['-f', 'lavfi', '-i', source, '-frames:v', String(frames), '-threads', '2', 'video.avi']);
  const video = await ffmpeg.readFile('video.avi');
  return video.length;
}

const bytes = await render(5);
document.querySelector('#result').textContent = bytes > 1000 ? 'ffmpeg made a video' : `${bytes} bytes`;
const button = document.querySelector('#count');
button.onclick = async () => {
  button.textContent = (await render(1)) > 1000 ? 1 : 'no video';
};
