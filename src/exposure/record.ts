// What an exposure records: the requests on captured paths, in memory and in the output `requests-file`. Used by
// exposure.ts.

import { RequestRecorder } from '../gateway/webhooks/record/recorder.ts';
import { RequestsFile } from '../gateway/webhooks/record/requests-file.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createRedactor } from '../shared/redaction.ts';
import type { ExposureConfig } from './config.ts';

export function createRecorder(
  { access, capture, verify = [] }: ExposureConfig['gateway'],
  logger: Logger,
): RequestRecorder {
  return new RequestRecorder(capture ?? { kind: 'none' }, {
    secrets: listCredentials(access),
    signatureHeaders: verify.flatMap(rule => ('header' in rule ? rule.header : [])),
    onError: error => logger.error(`a captured request could not be passed on: ${describeError(error)}`),
  });
}

/** The texts by which a request gets in. */
function listCredentials(access: ExposureConfig['gateway']['access']): string[] {
  if (access.kind === 'open') return [];
  if (access.kind === 'link') return [access.key, encodeURIComponent(access.key)];
  return [access.password, Buffer.from(`${access.user}:${access.password}`).toString('base64')];
}

/** Undefined if nothing is captured, or if the file cannot be made, which is a warning. */
export function openRequestsFile(
  path: string,
  { protocol, gateway: { capture, redact = true } }: ExposureConfig,
  recorder: RequestRecorder,
  warn: (problem: string) => void,
): RequestsFile | undefined {
  if (protocol === 'tcp' || (capture?.kind ?? 'none') === 'none') return undefined;
  try {
    return new RequestsFile({
      path,
      requests: recorder,
      redact: redact ? createRedactor(recorder.signatureHeaders) : message => message,
      onProblem: warn,
    });
  } catch (error) {
    warn(`requests-file could not be made: ${describeError(error)}`);
    return undefined;
  }
}
