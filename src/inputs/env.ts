// The `env` input: what the app gets in addition to the allow-list of app/environment.ts. Used by inputs/app.ts.

import { InputError } from '../shared/errors.ts';

/**
 * Reads the `env` input: `KEY=VALUE` lines, a bare `KEY` copies the job's value; empty lines and `#` lines are skipped.
 * Throws an InputError with every problem. Problems name line and key, never a value: those are often secrets.
 */
export function parseEnv(text: string, job: NodeJS.ProcessEnv): Record<string, string> {
  const env = new Map<string, string>();
  const problems: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const at = line.indexOf('=');
    const key = (at < 0 ? line : line.slice(0, at)).trim();
    const value = at < 0 ? job[key] : line.slice(at + 1);
    const problem = findProblem(key, value, env);
    if (problem !== undefined) problems.push(`env, line ${index + 1}: ${problem}`);
    else if (value !== undefined) env.set(key, value);
  }
  if (problems.length > 0) throw new InputError(problems);
  return Object.fromEntries(env);
}

function findProblem(
  key: string,
  value: string | undefined,
  env: ReadonlyMap<string, string>,
): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
    return 'expected KEY=VALUE, the key of letters, digits and _; a value cannot span lines';
  if (key === 'EXPOSE_URL') return 'EXPOSE_URL is set by this action; leave the line out';
  if (env.has(key)) return `${key} was given before; keep one of the two`;
  if (value === undefined)
    return `the job has no variable ${key} to copy; write ${key}=VALUE, or set it in the job`;
  if (value.includes('\0'))
    return `the value of ${key} contains a NUL character, which no program can be given`;
  return undefined;
}
