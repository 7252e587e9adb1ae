// Counts as people read them. Used by comment, summary and commands.

/** `1 visit`, `2 visits`. */
export function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
