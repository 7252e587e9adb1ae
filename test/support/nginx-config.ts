// A configuration for an nginx that keeps everything in one folder, for tests that start nginx with a site of their own.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/**
 * Writes nginx.conf into the folder, and returns the arguments with which nginx reads it and stays in the foreground, as
 * one process. `sites` is what stands in `http { }`; paths of files in it are relative to the folder.
 */
export function writeNginxConfig(folder: string, sites: string): string[] {
  const file = join(folder, 'nginx.conf');
  const log = join(folder, 'error.log');
  const paths = TEMPORARY.map(name => `${name}_temp_path ${folder}/${name};`).join(' ');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${log}; events {}
http { access_log off; ${paths}
${sites}
}`,
  );
  return ['-p', folder, '-c', file, '-e', log];
}
