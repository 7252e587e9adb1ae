// Types for undici's pool alone. app-link.ts imports it without `fetch`, caches and mocks, which would cost 14 MB of
// memory.

declare module 'undici/lib/dispatcher/pool.js' {
  export { Pool as default } from 'undici';
}
