// Certificates and keys as people paste them, right and wrong. Made by a CA of the tests.

import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { INPUT_DEFAULTS, type Inputs, parseInputs } from '../../src/inputs/inputs.ts';
import { InputError } from '../../src/shared/errors.ts';
import { listKeyTexts } from '../../src/shared/secrets.ts';
import { readActionInputs } from '../../src/step/action-inputs.ts';
import { readMachine } from '../../src/step/machine.ts';
import { TestCa, type TestCertificate } from '../support/test-ca.ts';

const FOLDER = 'examples/web-hello';
let ca: TestCa;
let good: TestCertificate;
let other: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  good = ca.issue(['DNS:bore.example', 'DNS:*.preview.example', 'IP:192.0.2.1', 'IP:2001:db8::1']);
  other = ca.issue(['DNS:other.example']);
});
afterAll(() => ca.remove());

function parse(given: Record<string, string>): Inputs {
  const defaults: Record<string, string> = {
    ...INPUT_DEFAULTS,
    path: FOLDER,
    server: 'bore.example',
    secret: 'a-long-secret',
    'tls-cert': good.cert,
    'tls-key': good.key,
  };
  return parseInputs(name => given[name] ?? defaults[name] ?? '', {}, process.cwd());
}

function findProblems(given: Record<string, string>): readonly string[] {
  try {
    parse(given);
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
  return [];
}

/** The base64 lines of a key; no message may contain one of them. */
const body = (key: string) => key.split('\n').filter(line => line.length > 8 && !line.startsWith('-----'));

describe('a certificate and its key', () => {
  it('make the public address https, and are passed on unchanged', () => {
    const inputs = parse({});
    expect(inputs.tunnel.publicUrl).toBe('https://{host}:{port}');
    expect(inputs.tls).toMatchObject({ key: good.key.trim() });
    expect(inputs.tls?.cert.trim()).toBe(good.cert.trim());
    expect(inputs.warnings).toEqual([]);
  });

  it('can be behind a proxy that is trusted, but not if visitors come to the bore server itself', () => {
    const behind = { 'trusted-proxy': 'true', 'public-url': 'https://{port}.preview.example' };
    expect(parse(behind).trustedProxy).toBe(true);
    for (const given of [{}, { 'public-url': 'https://BORE.example:{port}' }])
      expect(findProblems({ 'trusted-proxy': 'true', ...given })).toEqual([
        expect.stringMatching(
          /^`trusted-proxy` is true, and `public-url` is '.*', the address of the bore server itself/,
        ),
      ]);
    expect(findProblems({ ...behind, 'tls-key': '' })).toHaveLength(1);
  });

  it('make a name under .dev work, where browsers open only https', () => {
    const { cert, key } = ca.issue(['DNS:bore.example.dev']);
    const given = { server: 'bore.example.dev', 'tls-cert': cert, 'tls-key': key };
    expect(parse(given).warnings).toEqual([]);
    expect(parse({ ...given, 'tls-cert': '', 'tls-key': '' }).warnings).toEqual([
      expect.stringContaining('only with https'),
    ]);
  });

  it('are optional', () => {
    const inputs = parse({ 'tls-cert': '', 'tls-key': ' \n' });
    expect([inputs.tls, inputs.tunnel.publicUrl]).toEqual([undefined, 'http://{host}:{port}']);
  });

  it.each([
    [{ 'public-url': 'https://{port}.preview.example' }, 'https://{port}.preview.example'],
    [{ 'public-url': 'https://a.preview.example:{port}' }, 'https://a.preview.example:{port}'],
    [{ server: '192.0.2.1' }, 'https://{host}:{port}'],
    [{ server: '[2001:db8::1]:7000' }, 'https://{host}:{port}'],
    [{ server: 'BORE.example' }, 'https://{host}:{port}'],
    [
      { 'public-url': 'https://bore.example:{port}', server: 'a.example,b.example' },
      'https://bore.example:{port}',
    ],
  ])('are accepted if the certificate covers the public host: %j', (given, template) => {
    expect(parse(given).tunnel.publicUrl).toBe(template);
  });

  it('keep their chain, whatever text is between its parts', () => {
    const chain = `# leaf\r\n${good.cert.replaceAll('\n', '\r\n')}\r\n# issuer\r\n${ca.pem}`;
    const { tls } = parse({ 'tls-cert': chain });
    expect(tls?.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(tls?.cert).not.toContain('#');
  });
});

describe('what cannot be used for TLS', () => {
  const cases: [string, () => Record<string, string>, RegExp][] = [
    ['a certificate alone', () => ({ 'tls-key': '' }), /^`tls-cert` is given without `tls-key`: .*Give both/],
    ['a key alone', () => ({ 'tls-cert': '' }), /^`tls-key` is given without `tls-cert`: .*Give both/],
    [
      'a file name',
      () => ({ 'tls-cert': '/etc/x.pem' }),
      /^`tls-cert` is not a PEM certificate, but .*file name perhaps: give/,
    ],
    [
      'a key file name',
      () => ({ 'tls-key': 'C:\\x.pem' }),
      /^`tls-key` is not a PEM private key, but .*file name perhaps/,
    ],
    ['a key as certificate', () => ({ 'tls-cert': good.key }), /^`tls-cert` holds a private key: it belongs/],
    [
      'a certificate as key',
      () => ({ 'tls-key': good.cert }),
      /^`tls-key` is not a PEM private key, .*it is a CERTIFICATE/,
    ],
    [
      'line breaks written out',
      () => ({ 'tls-key': good.key.replaceAll('\n', '\\n') }),
      /^`tls-key` cannot be read .*line breaks are written as \\n/,
    ],
    [
      'a certificate with a line missing',
      () => ({ 'tls-cert': good.cert.replace(/\n.*\n/, '\n') }),
      /^certificate 1 of `tls-cert` cannot be read \(.*\): give the text of the file as it is/,
    ],
    [
      'a key with a line missing',
      () => ({ 'tls-key': good.key.replace(/\n.*\n/, '\n') }),
      /^`tls-key` cannot be read as a private key \(it is .* which says it is a PRIVATE KEY\)/,
    ],
    [
      'a passphrase',
      () => ({ 'tls-key': ca.encrypt(good.key) }),
      /^`tls-key` is protected by a passphrase: give/,
    ],
    [
      'the key of another certificate',
      () => ({ 'tls-key': other.key }),
      /^`tls-key` is not the key of the .*bore\.example/,
    ],
    [
      'the chain the wrong way round',
      () => ({ 'tls-cert': `${other.cert}${good.cert}` }),
      /^`tls-key` belongs to certificate 2 of `tls-cert`: put that one first/,
    ],
    [
      'a certificate that has expired',
      () => expired(ca, { from: '20200101000000Z', to: '20200201000000Z' }),
      /expired at 2020-02-01T00:00:00\.000Z, and it is 20.*: renew it/,
    ],
    [
      'a certificate that is not valid yet',
      () => expired(ca, { from: '20480101000000Z', to: '20480201000000Z' }),
      /not valid before 2048-01-01T00:00:00\.000Z, and it is 20/,
    ],
    [
      'the wrong name',
      () => ({ server: 'elsewhere.example' }),
      /is not for elsewhere\.example, which visitors use, but for bore\.example, \*\.preview\.example, 192\.0\.2\.1/,
    ],
    ['the wrong address', () => ({ server: '192.0.2.2' }), /is not for 192\.0\.2\.2, which visitors use/],
    [
      'the wrong level of a wildcard',
      () => ({ 'public-url': 'https://{port}.a.preview.example' }),
      /is not for 12345\.a\.preview\.example/,
    ],
    [
      'a name in the subject alone, which browsers ignore',
      () => ({ ...named(ca, []), server: 'preview.test' }),
      /is not for preview\.test, which visitors use, but for no name at all/,
    ],
    [
      'plain http',
      () => ({ 'public-url': 'http://bore.example:{port}' }),
      /^`public-url` is 'http:\/\/bore\.example:\{port\}', and with `tls-cert` visitors speak https/,
    ],
    [
      'raw bytes',
      () => ({ protocol: 'tcp', port: '6379', path: '.' }),
      /^`tls-cert` cannot be used with `protocol: tcp`: .*leave it out$/,
    ],
  ];

  it.each(cases)('is reported once: %s', (_, given, message) => {
    const problems = findProblems(given());
    expect(problems).toEqual([expect.stringMatching(message)]);
    for (const key of [good.key, other.key])
      for (const line of body(key)) expect(problems.join()).not.toContain(line);
  });

  it('is reported for each server that the certificate does not cover', () => {
    expect(findProblems({ server: 'bore.example,b.example,c.example' })).toEqual([
      expect.stringContaining('is not for b.example'),
      expect.stringContaining('is not for c.example'),
    ]);
  });

  it('does not hide another problem', () => {
    expect(findProblems({ 'tls-key': other.key, server: 'b.example', hold: 'x' })).toHaveLength(3);
  });

  it('includes a key too weak for TLS', () => {
    const [cert, key] = makeWeakPair();
    expect(findProblems({ 'tls-cert': cert, 'tls-key': key })).toEqual([
      expect.stringMatching(
        /^`tls-cert` and `tls-key` cannot be used for TLS \(.*too small.*\): make new ones/,
      ),
    ]);
  });
});

describe('a certificate that ends soon', () => {
  it.each([
    [{ days: 2 }, {}, /ends soon, at 20.*Z: renew it$/],
    [{ days: 1 }, { duration: '30h' }, /ends at 20.*Z, before the preview does: .*renew it$/],
  ])('leads to a warning: %j with %j', (validity, given, warning) => {
    const { cert, key } = ca.issue(['DNS:bore.example'], validity);
    const { warnings } = parse({ 'tls-cert': cert, 'tls-key': key, ...given });
    expect(warnings.filter(line => line.includes('tls-cert'))).toEqual([expect.stringMatching(warning)]);
  });
});

describe('the key of a step', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  function readMasks(cert: string, key: string): string[] {
    const given = { path: FOLDER, server: 'bore.example', 'tls-cert': cert, 'tls-key': key };
    for (const [input, value] of Object.entries({ ...INPUT_DEFAULTS, ...given }))
      vi.stubEnv(`INPUT_${input.toUpperCase()}`, value);
    let printed = '';
    vi.spyOn(process.stdout, 'write').mockImplementation(chunk => {
      printed += chunk;
      return true;
    });
    try {
      readActionInputs(readMachine());
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    return [...printed.matchAll(/^::add-mask::(.*)$/gm)].map(([, mask = '']) => mask.replaceAll('%0A', '\n'));
  }

  it('is masked whole and line by line, as the runner masks by lines', () => {
    const masks = readMasks(good.cert, good.key);
    expect(masks).toContain(good.key.trim());
    for (const line of body(good.key)) expect(masks).toContain(line);
    expect(masks.filter(mask => mask.startsWith('-----BEGIN') && !mask.includes('\n'))).toEqual([]);
  });

  it('is masked even if it is given in `tls-cert`', () => {
    const masks = readMasks(`${good.cert}${good.key}`, '');
    for (const line of body(good.key)) expect(masks).toContain(line);
  });

  it('has nothing to mask if it is empty', () => {
    expect(listKeyTexts('')).toEqual([]);
  });
});

function expired(authority: TestCa, validity: { from: string; to: string }): Record<string, string> {
  const { cert, key } = authority.issue(['DNS:bore.example'], validity);
  return { 'tls-cert': cert, 'tls-key': key };
}

function named(authority: TestCa, names: string[]): Record<string, string> {
  const { cert, key } = authority.issue(names);
  return { 'tls-cert': cert, 'tls-key': key };
}

function makeWeakPair(): [cert: string, key: string] {
  const subject = ['-subj', '/CN=weak', '-addext', 'subjectAltName=DNS:bore.example'];
  const args = ['req', '-x509', '-newkey', 'rsa:512', '-nodes', ...subject, '-keyout', '-', '-out', '-'];
  const both = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [key = ''] = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----/.exec(both) ?? [];
  const [cert = ''] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(both) ?? [];
  return [cert, key];
}
