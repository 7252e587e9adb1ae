// self-host/compose: checked by Docker's own parser, and run with Podman. And the specification's form of it: why no
// visitor gets in.

import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Machine, startMachines } from '../support/machines.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { waitUntil } from '../support/wait-until.ts';

const FILE = readFileSync('self-host/compose/compose.yaml', 'utf8');
const EXAMPLE = readFileSync('self-host/compose/.env.example', 'utf8');
const SECRET = 'the-secret-of-this-server';

/** A folder with a copy of self-host, and in it the settings, if there are any. */
function copyFiles(settings?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'compose-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync('self-host', join(folder, 'self-host'), { recursive: true });
  if (settings !== undefined)
    writeFileSync(join(folder, 'self-host/compose/.env'), settings, { mode: 0o600 });
  return folder;
}

function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(done => {
    const child = execFile(command, args, { ...options, timeout: 120_000 }, (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? (error ? -1 : 0)), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

describe('the settings of self-host/compose', () => {
  it('are all in the example, and the example has no others', () => {
    const used = [...FILE.matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    const shown = [...EXAMPLE.matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
    expect(shown.toSorted()).toEqual([...new Set(used)].toSorted());
  });
});

describeWithReal(['compose-config'], 'compose.yaml, read by the parser of docker compose', () => {
  const read = (settings?: string) => {
    const { BORE_SECRET: _, ...env } = process.env;
    const cwd = join(copyFiles(settings), 'self-host/compose');
    return run(requirePart('compose-config'), ['compose.yaml'], { cwd, env });
  };

  it('is valid without a warning, and holds the secret in the environment only', async () => {
    const { code, stdout, stderr } = await read(EXAMPLE.replace(/^BORE_SECRET=$/m, `BORE_SECRET=${SECRET}`));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { environment, ...rest } = (JSON.parse(stdout) as { services: { bore: Record<string, unknown> } })
      .services.bore;
    expect(environment).toMatchObject({
      BORE_SECRET: SECRET,
      BORE_MIN_PORT: '20000',
      BORE_MAX_PORT: '29999',
    });
    expect(JSON.stringify(rest)).not.toContain(SECRET);
    expect(rest).toMatchObject({ network_mode: 'host', read_only: true, cap_drop: ['ALL'] });
  });

  it.each([
    ['no settings', undefined],
    ['the example as it is', EXAMPLE],
    ['a misspelt name', 'BORE_SECRTE=x\n'],
  ])('starts nothing with %s: the server would be open to anybody', async (_, settings) => {
    const { code, stdout, stderr } = await read(settings);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('required variable BORE_SECRET is missing a value: set it in .env');
  });
});

describeWithReal(['podman', 'podman-compose', 'bore'], 'the container of self-host/compose', () => {
  it('serves a preview, is healthy, has no rights, and stops at once', async () => {
    const folder = copyFiles(`BORE_SECRET=${SECRET}\n`);
    cpSync(requirePart('bore'), join(folder, 'bore'));
    const path = [dirname(requirePart('podman-compose')), process.env.PATH].join(delimiter);
    const line = `
      echo "device $(stat -c %d /dev)"
      compose up --detach --build >&2
      container() { podman inspect -f "{{$1}}" bore_bore_1; }
      for _ in {1..100}; do ../health-check 127.0.0.1 >/dev/null && break; read -rt 0.1 <> <(:) || true; done
      echo "health: $(podman healthcheck run bore_bore_1)/$?"
      grep -E '^(Uid|CapBnd|NoNewPrivs)' "/proc/$(container .State.Pid)/status"
      echo "root file system read only: $(container .HostConfig.ReadonlyRootfs)"
      tr '\\0' ' ' <"/proc/$(container .State.Pid)/cmdline" && echo
      mkdir app && echo hello >app/greeting
      python3 -m http.server --directory app --bind 127.0.0.1 8000 >/dev/null 2>&1 &
      BORE_SECRET=${SECRET} ../../bore local 8000 --to 127.0.0.1 --port 20042 >/dev/null &
      for _ in {1..100}; do
        if exec 3<>/dev/tcp/127.0.0.1/20042 && printf 'GET /greeting HTTP/1.0\\r\\n\\r\\n' >&3 && grep hello <&3; then break; fi
        read -rt 0.1 <> <(:) || true
      done 2>/dev/null
      compose stop >&2
      echo "exit: $(container .State.ExitCode)"`;
    const { code, stdout, stderr } = await run('test/support/compose/run', [folder, line], {
      env: { ...process.env, PATH: path },
    });
    expect(code, stderr).toBe(0);
    // The runtime has given the container's user the /dev/null of its own /dev, and no other.
    expect(statSync('/dev').dev).not.toBe(Number(/^device (\d+)$/m.exec(stdout)?.[1]));
    expect(
      stdout
        .replaceAll('\t', ' ')
        .replace(/^device .*/m, '')
        .split('\n')
        .filter(Boolean),
    ).toEqual([
      'health: /0',
      'Uid: 65532 65532 65532 65532',
      'CapBnd: 0000000000000000',
      'NoNewPrivs: 1',
      'root file system read only: true',
      '/bin/bash /usr/local/bin/start-bore --bind-addr=0.0.0.0 --bind-tunnels=0.0.0.0 ',
      'hello',
      'exit: 143',
    ]);
  });
});

describeWithReal(
  ['machines', 'bore'],
  "the specification's compose file, which publishes only port 7835",
  () => {
    /** A machine that passes on `ports` to the container behind it, as Docker does with published ports. */
    async function publish(ports: string) {
      const rig = await startMachines({
        names: ['container', 'runner', 'visitor'],
        home: { names: ['container'], forward: { to: 'container', ports } },
      });
      onTestFinished(() => rig.stop());
      const { container, runner, visitor } = rig.machines;
      const server = container.run(requirePart('bore'), ['server', '--secret', 'mysecret123'], {
        stdio: 'ignore',
      });
      await waitUntil(() => answers(runner, rig.routerAddress, 7835), 'the server answers');
      const to = ['local', '5000', '--to', rig.routerAddress, '--port', '20042', '--secret', 'mysecret123'];
      const client = runner.run(requirePart('bore'), to, { stdio: ['ignore', 'pipe', 'inherit'] });
      if (client.stdout === null) throw new Error('no pipe');
      await once(client.stdout, 'data'); // it prints when it has its port
      client.stdout.resume();
      return { visit: () => answers(visitor, rig.routerAddress, 20_042), server };
    }

    async function answers(from: Machine, host: string, port: number): Promise<boolean> {
      const script = `require('node:net').connect(${port}, '${host}').setTimeout(1000, () => process.exit(1))
      .on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
      return (await from.finish(process.execPath, ['-e', script])).code === 0;
    }

    it('starts, and gives out a port that no visitor reaches', async () => {
      const { visit } = await publish('7835');
      expect(await visit()).toBe(false);
    });

    it('would let visitors in if the ports of previews were published too', async () => {
      const { visit } = await publish('7835, 20000-29999');
      expect(await visit()).toBe(true);
    });

    it('shows its secret to every user of the machine', async () => {
      const { server } = await publish('7835');
      const args = execFileSync(
        'setpriv',
        ['--reuid=65534', '--clear-groups', 'cat', `/proc/${server.pid}/cmdline`],
        { encoding: 'utf8' },
      );
      expect(args.split('\0')).toContain('mysecret123');
    });
  },
);
