// Times as people read them in logs, comments and summaries.

/** `2026-05-04 10:32 UTC`: in UTC, because readers are in many time zones; without seconds. */
export function renderTime(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
