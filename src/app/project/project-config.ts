// Reads a project's wasmrun.toml. Used by mode.ts before anything is started, and by staging.ts for the copy.

import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { describeError, InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { leadsOut, readProjectFile } from './project-file.ts';

export const CONFIG_FILE = 'wasmrun.toml';

const Limit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)));

/** The keys that are read here; wasmrun itself checks all others. */
const ConfigSchema = v.looseObject({
  os: v.optional(
    v.looseObject({
      entry: v.optional(
        v.pipe(
          v.string(),
          v.check(entry => !leadsOut(entry), 'it leads out of the project; give a path in it'),
        ),
      ),
      limits: v.optional(v.looseObject({ max_memory_mb: Limit, max_output_mb: Limit })),
      network: v.optional(
        v.looseObject({
          deny: v.optional(v.array(v.string())),
          bind_ports: v.optional(v.string()),
          max_connections: Limit,
          max_bandwidth_mbps: Limit,
        }),
      ),
    }),
  ),
});

export type ProjectConfig = v.InferOutput<typeof ConfigSchema>;

/** The folder's wasmrun.toml; an empty one if there is none. Throws an InputError if it is broken. */
export function readProjectConfig(folder: string): ProjectConfig {
  return parseProjectConfig(readProjectFile(folder, CONFIG_FILE) ?? '');
}

/** Throws an InputError that names the line, or each key that is wrong. */
export function parseProjectConfig(text: string): ProjectConfig {
  const result = v.safeParse(ConfigSchema, parseToml(text));
  if (result.success) return result.output;
  throw new InputError(
    result.issues.map(
      issue =>
        `path: wasmrun.toml: ${v.getDotPath(issue) ?? 'the file'} is wrong: ${sanitise(issue.message)}`,
    ),
  );
}

function parseToml(text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const place = cause instanceof TomlError ? ` (line ${cause.line}, column ${cause.column})` : '';
    const reason = sanitise(describeError(cause).split('\n')[0] ?? '');
    throw new InputError(`path: wasmrun.toml cannot be read${place}: ${reason}; correct the file`, {
      cause,
    });
  }
}
