// Numbers, times and names in words. Pure.

const ENGLISH = new Intl.NumberFormat('en');
const CLOCK = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const CLOCK_S = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export function formatCount(count: number): string {
  return ENGLISH.format(count);
}

/** `1 request`, `12 requests` */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${toShort(bytes / 1000)} kB`;
  return `${toShort(bytes / 1_000_000)} MB`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${toShort(ms / 1000)} s`;
  return formatSpan(ms);
}

function toShort(value: number): string {
  return value < 100 ? value.toFixed(1).replace(/\.0$/, '') : String(Math.round(value));
}

/** A longer time, as people say it: `45 s`, `12 min`, `3 h 20 min`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest === 0 ? `${hours} h` : `${hours} h ${rest} min`;
}

/** In the reader's time zone. */
export function formatTime(time: number): string {
  return CLOCK_S.format(time);
}

export function formatTimeWithMs(time: number): string {
  return `${CLOCK_S.format(time)}.${String(time % 1000).padStart(3, '0')}`;
}

export function formatMinute(time: number): string {
  return CLOCK.format(time);
}
