// Options of a bore server as messages name them: the flag, and the variable by which bore or self-host/ sets it. Used by
// failure.ts, exposure and doctor.

export const SERVER_RANGE = 'the --min-port and --max-port of the server (BORE_MIN_PORT and BORE_MAX_PORT)';

export const BIND_TUNNELS = '--bind-tunnels, BORE_BIND_TUNNELS';

/** With a proxy on another machine, neither the address 127.0.0.2 nor closed ports would let the proxy in. */
export const ONLY_WAY_IN =
  'start bore with --bind-tunnels 127.0.0.2 (BORE_BIND_TUNNELS) if the proxy is on the same machine; otherwise let the firewall admit only the proxy to the public ports';
