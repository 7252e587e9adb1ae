// The call to the runner's cache service, with GitHub's own library. Used by the program src/cache.ts alone: nothing
// else loads the library.

import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache';

/**
 * `restore FOLDER NAME…`: the first of these entries that exists is unpacked. `save FOLDER NAME`. The folder is a
 * relative path: entries then fit wherever a job has its files. Prints one line of JSON, after whatever the library
 * prints: a CacheAnswer of cache-service.ts.
 */
export async function callCache([verb, folder = '', name = '', ...others]: readonly string[]): Promise<void> {
  if (!isFeatureAvailable()) return answer({ cache: 'absent' });
  if (verb === 'restore') {
    const found = await restoreCache([folder], name, others);
    return answer(found === undefined ? { cache: 'nothing' } : { cache: 'restored', name: found });
  }
  const id = await saveCache([folder], name);
  return answer({ cache: id === NOT_SAVED ? 'nothing' : 'saved' });
}

/** What the library returns where it has printed why it saved nothing. */
const NOT_SAVED = -1;

function answer(content: Record<string, string>): void {
  process.stdout.write(`\n${JSON.stringify(content)}\n`);
}
