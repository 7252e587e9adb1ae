// Joins what the program writes. Runs inside the VM's worker, before wasmrun's script there, so it must be
// self-contained: the worker gets its source text. Used by node-worker.ts and browser.ts.

/** The globals of the worker that `joinWrites` replaces. */
export interface WorkerScope {
  postMessage(message: unknown, transfer?: unknown): void;
  WebAssembly: { instantiate(source: unknown, imports: WasmImports): Promise<unknown> };
}

type WasmImports = Record<string, Record<string, unknown>>;

/**
 * Sends what the program writes to one connection in one go as one message. wasmhub's runtime writes an answer in five
 * pieces. wasmrun's page makes a frame of each, and its network proxy a TCP segment without TCP_NODELAY, so that the
 * kernel holds back the second piece until the first is acknowledged: 40 ms for every answer. A message is also cut
 * where the proxy would refuse its frame: over 16 MiB (tungstenite's `max_frame_size`), it closes all connections.
 *
 * Joined bytes are sent when the program waits, reads, or tells its host anything else.
 */
export function joinWrites(scope: WorkerScope): void {
  const maxWaiting = 4 * 1024 * 1024;
  const maxMessage = 4 * 1024 * 1024;
  const waiting = new Map<number, Uint8Array[]>();
  let waitingBytes = 0;
  const post = scope.postMessage.bind(scope);

  const flush = () => {
    if (waiting.size === 0) return;
    for (const [id, pieces] of waiting) {
      const joined = join(pieces);
      for (let at = 0; at < joined.length; at += maxMessage)
        post({ type: 'sock', op: 'send', id, bytes: joined.subarray(at, at + maxMessage) });
    }
    waiting.clear();
    waitingBytes = 0;
  };

  const join = (pieces: readonly Uint8Array[]): Uint8Array => {
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined) return first;
    const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    return joined;
  };

  scope.postMessage = (message, transfer) => {
    const write = message as { type?: string; op?: string; id: number; bytes: Uint8Array };
    if (write.type !== 'sock' || write.op !== 'send') {
      flush();
      post(message, transfer);
      return;
    }
    const pieces = waiting.get(write.id);
    if (pieces === undefined) waiting.set(write.id, [write.bytes]);
    else pieces.push(write.bytes);
    waitingBytes += write.bytes.length;
    if (waitingBytes >= maxWaiting) flush();
  };

  /** These two return to the program when something arrived, or time has passed: another turn. */
  const ends = ['poll_oneoff', 'sock_recv'];
  const instantiate = scope.WebAssembly.instantiate;
  scope.WebAssembly.instantiate = async (source, imports) => {
    const wasi = { ...imports.wasi_snapshot_preview1 };
    for (const name of ends) {
      const call = wasi[name];
      if (typeof call !== 'function') continue;
      wasi[name] = (...args: unknown[]) => {
        flush();
        return call(...args);
      };
    }
    return await instantiate(source, { ...imports, wasi_snapshot_preview1: wasi });
  };
}
