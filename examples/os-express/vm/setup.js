// Runs before the app: what packages expect of Node.js, and wasmhub's runtime 0.6.0 does not have.

const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const { Readable } = require('node:stream');

// `debug` asks whether they are a terminal.
process.stdout.fd = 1;
process.stderr.fd = 2;

// Koa asks `instanceof` of them.
for (const name of ['Blob', 'File', 'FormData', 'ReadableStream'])
  if (globalThis[name] === undefined) globalThis[name] = class {};

// `safer-buffer` copies Buffer's functions with a `for` loop.
for (const name of Object.getOwnPropertyNames(Buffer))
  if (typeof Buffer[name] === 'function') Object.defineProperty(Buffer, name, { enumerable: true });

// Express copies EventEmitter's methods into a function, and nothing calls the constructor.
for (const name of [
  '_addListener',
  'emit',
  'listenerCount',
  'listeners',
  'removeAllListeners',
  'removeListener',
]) {
  const method = EventEmitter.prototype[name];
  EventEmitter.prototype[name] = function (...args) {
    if (this._events === undefined) Object.assign(this, new EventEmitter());
    return method.apply(this, args);
  };
}

// Express calls it before it answers with 404; there is nothing to undo.
Readable.prototype.unpipe ??= function () {
  return this;
};

// Static files: complete Stats, functions with callbacks, and streams.
const { statSync } = fs;
fs.statSync = path => {
  const stats = statSync(path);
  const [atime, ctime, mtime] = [stats.atimeMs, stats.ctimeMs, stats.mtimeMs].map(ms => new Date(ms));
  return Object.assign(stats, { atime, ctime, mtime, ino: 0 });
};

for (const name of Object.keys(fs).filter(key => key.endsWith('Sync'))) {
  const plain = name.slice(0, -'Sync'.length);
  fs[plain] = (...args) => {
    const done = args.pop();
    process.nextTick(() => {
      let result;
      try {
        result = fs[name](...args);
      } catch (error) {
        done(error);
        return;
      }
      done(null, result);
    });
  };
}

fs.createReadStream = (path, { start = 0, end = Number.POSITIVE_INFINITY } = {}) => {
  const stream = new Readable({ read() {} });
  stream.destroy = () => stream;
  fs.readFile(path, (error, bytes) => {
    if (error) {
      stream.emit('error', error);
      return;
    }
    stream.emit('open');
    stream.push(bytes.subarray(start, Math.min(end + 1, bytes.length)));
    stream.push(null);
  });
  return stream;
};
