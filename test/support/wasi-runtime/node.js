// The part of Node.js that the test programs use, in JavaScript; the `native` functions are written in Go.
(function start(native, entry) {
  const STATUS = { 200: 'OK', 201: 'Created', 204: 'No Content', 400: 'Bad Request', 404: 'Not Found' };

  class Emitter {
    #listeners = new Map();
    on(event, listener) {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
      return this;
    }
    once(event, listener) {
      return this.on(event, listener);
    }
    emit(event, ...args) {
      for (const listener of this.#listeners.get(event) ?? []) listener.apply(this, args);
    }
  }

  class Response extends Emitter {
    statusCode = 200;
    headersSent = false;
    #headers = new Map();
    #exchange;
    #request;
    #chunked = false;
    constructor(request, exchange) {
      super();
      this.#request = request;
      this.#exchange = exchange;
    }
    setHeader(name, value) {
      this.#headers.set(name.toLowerCase(), String(value));
      return this;
    }
    getHeader(name) {
      return this.#headers.get(name.toLowerCase());
    }
    writeHead(status, ...rest) {
      this.statusCode = status;
      for (const [name, value] of Object.entries(rest.at(-1) ?? {})) this.setHeader(name, value);
      return this;
    }
    write(chunk) {
      const head = this.headersSent ? '' : this.#createHead(undefined);
      this.#exchange.send(head + this.#frame(String(chunk)));
      return true;
    }
    /** Sends head and body in one piece: two small ones would wait for each other's acknowledgement. */
    end(chunk) {
      const text = chunk === undefined ? '' : String(chunk);
      const head = this.headersSent ? '' : this.#createHead(text);
      this.#exchange.send(head + this.#frame(text) + (this.#chunked ? '0\r\n\r\n' : ''));
      this.#exchange.finish(this.#keepsAlive());
      this.emit('finish');
    }
    #frame(text) {
      if (text === '' || this.#request.method === 'HEAD') return '';
      return this.#chunked ? `${native.byteLength(text).toString(16)}\r\n${text}\r\n` : text;
    }
    #keepsAlive() {
      return (this.#request.headers.connection ?? '').toLowerCase() !== 'close';
    }
    #createHead(whole) {
      this.headersSent = true;
      if (!this.#headers.has('content-length')) {
        if (whole === undefined) {
          this.#chunked = true;
          this.setHeader('transfer-encoding', 'chunked');
        } else if (this.statusCode !== 204) this.setHeader('content-length', native.byteLength(whole));
      }
      this.setHeader('connection', this.#keepsAlive() ? 'keep-alive' : 'close');
      const lines = [...this.#headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
      return `HTTP/1.1 ${this.statusCode} ${STATUS[this.statusCode] ?? 'Status'}\r\n${lines}\r\n`;
    }
  }

  class Request extends Emitter {
    constructor({ method, url, headers }) {
      super();
      Object.assign(this, { method, url, headers: { ...headers }, httpVersion: '1.1' });
    }
    setEncoding() {
      return this;
    }
  }

  class Server extends Emitter {
    #address = '';
    listen(...args) {
      this.#address = native.listen((raw, exchange) => {
        const request = new Request(raw);
        this.emit('request', request, new Response(request, exchange));
        if (raw.body !== '') request.emit('data', raw.body);
        request.emit('end');
      });
      const callback = args.find(argument => typeof argument === 'function');
      if (callback) setTimeout(() => callback.call(this), 0);
      return this;
    }
    address() {
      const [address, port] = this.#address.split(':');
      return { address, port: Number(port), family: 'IPv4' };
    }
  }

  const inspect = value => {
    if (typeof value === 'string') return value;
    if (value instanceof Error) return value.stack ?? String(value);
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  };
  const print = (...values) => native.print(values.map(inspect).join(' '));
  const printError = (...values) => native.printError(values.map(inspect).join(' '));
  globalThis.console = { log: print, info: print, debug: print, warn: printError, error: printError };
  globalThis.setTimeout = (callback, delay = 0, ...args) =>
    native.setTimer(() => callback(...args), delay, false);
  globalThis.setInterval = (callback, delay = 0, ...args) =>
    native.setTimer(() => callback(...args), delay, true);
  globalThis.setImmediate = (callback, ...args) => setTimeout(callback, 0, ...args);
  globalThis.clearTimeout = globalThis.clearInterval = id => native.clearTimer(id ?? 0);
  globalThis.connectTo = (host, port, text = '') => native.connectTo(host, port, text);
  globalThis.process = {
    env: { ...native.environment() },
    argv: ['node', entry],
    version: 'v20.0.0',
    platform: 'wasi',
    exit: (code = 0) => native.exit(code),
    uptime: () => (Date.now() - began) / 1000,
    on: () => process,
  };
  const began = Date.now();

  const createServer = handler => new Server().on('request', handler ?? (() => undefined));
  const builtins = {
    http: { createServer },
    fs: { readFileSync: name => native.readFile(name) },
    events: Emitter,
  };
  const loaded = new Map();
  const load = name => {
    if (loaded.has(name)) return loaded.get(name).exports;
    const module = { exports: {} };
    loaded.set(name, module);
    const folder = name.slice(0, name.lastIndexOf('/'));
    const source = native.readFile(name);
    if (name.endsWith('.json')) module.exports = JSON.parse(source);
    else {
      const wrapped = `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
      native.compile(name, wrapped)(module.exports, wanted => require(folder, wanted), module, name, folder);
    }
    return module.exports;
  };
  const require = (folder, wanted) => {
    const builtin = builtins[wanted.replace(/^node:/, '')];
    if (builtin) return builtin;
    if (!wanted.startsWith('.')) throw new Error(`Cannot find module '${wanted}'`);
    return load(`${folder}/${wanted}${/\.js(on)?$/.test(wanted) ? '' : '.js'}`);
  };
  load(entry);
});
