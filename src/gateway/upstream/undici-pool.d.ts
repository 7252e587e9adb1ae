// undici's pool without its `fetch`, caches and mocks, which the gateway does not use and which cost 14 MB of memory.

declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
