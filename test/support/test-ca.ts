// A certificate authority of the tests' own, made with openssl in a folder that goes with the test.

import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestCertificate {
  /** PEM. */
  cert: string;
  key: string;
}

export class TestCa {
  readonly folder = mkdtempSync(join(tmpdir(), 'test-ca-'));
  /** Where `curl --cacert` finds it. */
  readonly file = join(this.folder, 'ca.pem');
  readonly #key = join(this.folder, 'ca.key');
  #count = 0;

  constructor() {
    this.#openssl(
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30',
      ...['-subj', '/CN=expose test CA', '-keyout', this.#key, '-out', this.file],
    );
  }

  get pem(): string {
    return readFileSync(this.file, 'utf8');
  }

  /** For these names, `DNS:…` or `IP:…`; valid from now for `days`, or between two dates like `20260101000000Z`. */
  issue(
    names: readonly string[],
    validity: { days?: number; from?: string; to?: string } = {},
  ): TestCertificate {
    const [key, request, cert] = ['key', 'csr', 'pem'].map(end => this.#name(end)) as [
      string,
      string,
      string,
    ];
    const extensions = this.#name('ext');
    writeFileSync(extensions, names.length > 0 ? `subjectAltName=${names.join(',')}\n` : '');
    this.#openssl(
      'req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes',
      ...['-subj', '/CN=preview.test', '-keyout', key, '-out', request],
    );
    const { days = 30, from, to } = validity;
    if (from === undefined) {
      const by = ['-CA', this.file, '-CAkey', this.#key, '-CAcreateserial', '-extfile', extensions];
      this.#openssl(`x509 -req -days ${days}`, '-in', request, '-out', cert, ...by);
    } else this.#issueBetween(request, cert, extensions, from, to ?? from);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  }

  /** The same key behind a passphrase. */
  encrypt(key: string): string {
    const [plain, locked] = [this.#name('key'), this.#name('key')];
    writeFileSync(plain, key);
    this.#openssl('pkcs8 -topk8 -passout pass:secret', '-in', plain, '-out', locked);
    return readFileSync(locked, 'utf8');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** `openssl x509` of Debian 12 knows no dates, `openssl ca` does. */
  #issueBetween(request: string, cert: string, extensions: string, from: string, to: string): void {
    const [config, database, serial] = [this.#name('cnf'), this.#name('db'), this.#name('srl')];
    writeFileSync(database, '');
    writeFileSync(serial, `${1000 + this.#count}\n`);
    writeFileSync(
      config,
      `[ca]\ndefault_ca=one\n[one]\ndatabase=${database}\nserial=${serial}\nnew_certs_dir=${this.folder}\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n`,
    );
    this.#openssl(
      'ca -batch -notext',
      ...['-config', config, '-cert', this.file, '-keyfile', this.#key, '-in', request, '-out', cert],
      ...['-startdate', from, '-enddate', to, '-extfile', extensions],
    );
  }

  #name(end: string): string {
    this.#count += 1;
    return join(this.folder, `${this.#count}.${end}`);
  }

  #openssl(command: string, ...args: string[]): void {
    execFileSync('openssl', [...command.split(' '), ...args], { stdio: 'pipe' });
  }
}

/** What Chromium's `--ignore-certificate-errors-spki-list` wants. */
export function hashPublicKey(cert: string): string {
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}
