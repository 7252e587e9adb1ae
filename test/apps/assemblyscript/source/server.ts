// A web server for `wasmrun exec`, on WASI preview 1 alone. It is all top-level code, built with `--exportStart _start`:
// wasmrun runs a start section or `_start`, never both.
@external("wasi_snapshot_preview1", "environ_sizes_get") declare function environ_sizes_get(count: usize, size: usize): i32;
@external("wasi_snapshot_preview1", "environ_get") declare function environ_get(pointers: usize, bytes: usize): i32;
@external("wasi_snapshot_preview1", "sock_accept") declare function sock_accept(fd: i32, flags: i32, result: usize): i32;
@external("wasi_snapshot_preview1", "fd_read") declare function fd_read(fd: i32, vectors: usize, count: i32, result: usize): i32;
@external("wasi_snapshot_preview1", "fd_write") declare function fd_write(fd: i32, vectors: usize, count: i32, result: usize): i32;
@external("wasi_snapshot_preview1", "fd_close") declare function fd_close(fd: i32): i32;

const NAME = "WASMHUB_LISTEN_FD=";
const vector = memory.data(8);
const result = memory.data(8);
const buffer = memory.data(8192);

function findListener(): i32 {
  environ_sizes_get(result, result + 4);
  const pointers = heap.alloc(load<u32>(result) * 4);
  environ_get(pointers, heap.alloc(load<u32>(result, 4)));
  for (let i: u32 = 0; i < load<u32>(result); i++) {
    const entry = String.UTF8.decodeUnsafe(load<u32>(pointers + i * 4), 256, true);
    if (entry.startsWith(NAME)) return i32.parse(entry.substring(NAME.length));
  }
  return -1;
}

function readRequest(fd: i32): string {
  let text = "";
  while (true) {
    store<u32>(vector, <u32>buffer);
    store<u32>(vector, 8192, 4);
    if (fd_read(fd, vector, 1, result) != 0) return text;
    const count = load<u32>(result);
    if (count == 0) return text;
    text += String.UTF8.decodeUnsafe(buffer, count);
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0 && (text.startsWith("GET") || text.includes("word=", end))) return text;
  }
}

function write(fd: i32, text: string): void {
  const bytes = String.UTF8.encode(text);
  store<u32>(vector, <u32>changetype<usize>(bytes));
  store<u32>(vector, bytes.byteLength, 4);
  fd_write(fd, vector, 1, result);
}

function answer(fd: i32, content: string): void {
  const page = `<!doctype html><title>AssemblyScript</title><link rel="icon" href="data:,">${content}`;
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\nConnection: close`;
  write(fd, `${head}\r\n\r\n${page}`);
}

const form = '<form method="post" action="/said"><input name="word"><button>Say</button></form>';
const listener = findListener();
while (sock_accept(listener, 0, result) == 0) {
  const fd = load<i32>(result);
  const request = readRequest(fd);
  const said = request.indexOf("word=", request.indexOf("\r\n\r\n"));
  answer(fd, said < 0 ? `<h1>first words</h1>${form}` : `<p id="said">${request.substring(said + 5)}</p>`);
  fd_close(fd);
}
