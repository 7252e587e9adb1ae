// self-host/systemd on a machine with a real systemd and the real bore.

import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { bootSystemd, type SystemdMachine } from '../support/systemd-machine.ts';
import { waitUntil } from '../support/wait-until.ts';

const UNITS = '/etc/systemd/system';
/** The commands of docs/bore-server.md, apart from the first, which download bore. */
const INSTALLATION = [
  ...(/## Install with systemd\n(.*?)\n## /s
    .exec(readFileSync('docs/bore-server.md', 'utf8'))?.[1]
    ?.matchAll(/```sh\n(.*?)```/gs) ?? []),
]
  .slice(1)
  .map(([, commands = '']) => commands);
const HEALTHY = 'a bore server and asks for its secret';

describeWithReal(['systemd', 'bore'], 'the units of self-host/systemd', () => {
  let machine: SystemdMachine;
  /** What the steps of the installation printed. */
  const installed: string[] = [];
  beforeAll(async () => {
    machine = await bootSystemd({
      '/usr/local/bin/bore': { from: requirePart('bore') },
      '/var/checkout/self-host': { from: 'self-host' },
      // Sooner than in earnest, so that the test need not wait half a minute.
      [`${UNITS}/bore-health.service.d/sooner.conf`]: {
        text: '[Service]\nExecStart=\nExecStart=/usr/local/lib/bore/health-check --timeout 1 127.0.0.1\n',
      },
      '/etc/bore/bore@2.env': {
        text: 'BORE_SECRET=another\nBORE_BIND_ADDR=127.0.0.4\nBORE_MIN_PORT=29000\n',
      },
      '/etc/bore/bore@open.env': { text: 'BORE_SECRTE=misspelt\nBORE_BIND_ADDR=127.0.0.5\n' },
    });
    for (const commands of INSTALLATION) installed.push(await run(`cd /var/checkout\n${commands}`));
    await run(`cp ${UNITS}/bore.service ${UNITS}/bore@.service && systemctl daemon-reload`);
  });
  afterAll(() => machine?.stop());

  /** What a line prints; it has to succeed. */
  async function run(line: string): Promise<string> {
    const { code, output } = await machine.run(line);
    expect(code, `${line}\n${output}`).toBe(0);
    return output;
  }
  const show = (unit: string, property: string) => run(`systemctl show ${unit} --value -p ${property}`);
  const isHealthy = async (server: string) => {
    const { output } = await machine.run(`/usr/local/lib/bore/health-check ${server}`);
    return output.endsWith(HEALTHY);
  };
  /** Starts a unit that listens on `server`, and resolves with its process. */
  async function start(unit: string, server: string): Promise<string> {
    await run(`systemctl start ${unit}`);
    await waitUntil(() => isHealthy(server), `${unit} answers on ${server}`);
    return show(unit, 'MainPID');
  }

  it('are installed by the documented commands, with a secret that only root can read', async () => {
    expect(installed).toHaveLength(2);
    expect(installed[1]).toMatch(/\n127\.0\.0\.1:7835 is a bore server and asks for its secret$/);
    expect(await run('stat -c %a /etc/bore/bore.env')).toBe('600');
    expect(await run('cat /etc/bore/bore.env')).toMatch(/^BORE_SECRET=[0-9a-f]{64}$/m);
    expect(await run('systemctl is-enabled bore bore-health.timer')).toBe('enabled\nenabled');
  });

  it('are tried on a machine with devices of its own: systemd links its log there', async () => {
    expect(await run('readlink /dev/log')).toBe('/run/systemd/journal/dev-log');
    expect(await run('stat -c %d /dev')).not.toBe(String(statSync('/dev').dev));
  });

  it('have no fault that systemd can see', async () => {
    const units = 'bore.service bore@2.service bore-health.service bore-health.timer';
    expect(await run(`systemd-analyze verify ${units}`)).toBe('');
  });

  it.each([['bore.service'], ['bore@2.service'], ['bore-health.service']])(
    'leave %s little to do harm with: systemd rates it 1.5 of 10 or better',
    async unit => {
      await run(`systemd-analyze security --threshold=15 --no-pager ${unit}`);
    },
  );

  it('run a bore server that passes data, without rights and without its secret in the arguments', async () => {
    const pid = await start('bore', '127.0.0.1');
    const [status, args, limits] = await Promise.all(
      ['status', 'cmdline', 'limits'].map(file => run(`tr '\\0' ' ' </proc/${pid}/${file}`)),
    );
    expect(status).toMatch(/^CapBnd:\s+0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(status).toMatch(/^Seccomp:\s+2$/m);
    expect(status).not.toMatch(/^Uid:\s+0/m);
    expect(args).toBe('/usr/local/bin/bore server --bind-addr 0.0.0.0 --bind-tunnels 0.0.0.0');
    // Where even root may not have as many, systemd takes what there is.
    const hard = execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
    const files = hard === 'unlimited' ? 262_144 : Math.min(262_144, Number(hard));
    expect(limits).toMatch(new RegExp(`^Max open files\\s+${files}\\s`, 'm'));

    const answer = await run(`
      export "$(grep BORE_SECRET= /etc/bore/bore.env)"
      cd "$(mktemp -d)" && echo hello >greeting
      python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 & app=$!
      bore local 8000 --to 127.0.0.1 --port 20042 >/dev/null & tunnel=$!
      trap 'kill $app $tunnel' EXIT
      for _ in {1..200}; do
        exec 3<>/dev/tcp/127.0.0.1/20042 && printf 'GET /greeting HTTP/1.0\\r\\n\\r\\n' >&3 && grep hello <&3 && break
        sleep 0.05
      done 2>/dev/null
      # As in docs/bore-server.md: how many previews there are.
      echo $(($(ss -Hltnp | grep -c "pid=$(systemctl show bore -p MainPID --value),") - 1))`);
    expect(answer).toBe('hello\n1');
  });

  it('let bore start no other program', async () => {
    await run(`mkdir -p /run/systemd/system/bore@2.service.d
      printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/id\\nRestart=no\\n' >/run/systemd/system/bore@2.service.d/other.conf
      systemctl daemon-reload && systemctl start bore@2`);
    await waitUntil(async () => (await show('bore@2', 'ActiveState')) === 'failed', 'it was not started');
    expect(await show('bore@2', 'ExecMainStatus')).toBe('203'); // EXIT_EXEC of systemd.exec(5)
    await run('rm -r /run/systemd/system/bore@2.service.d && systemctl daemon-reload');
  });

  it('keep the log of bore in a journal of its own, without colours', async () => {
    await start('bore', '127.0.0.1');
    const log = await run('journalctl --namespace=bore -u bore -o cat --no-pager');
    expect(log).toContain('INFO bore_cli::server: server listening addr=0.0.0.0');
    expect(await run('journalctl -u bore -o cat --no-pager -t bore')).not.toContain('server listening');
    const settings = await run('journalctl -u systemd-journald@bore -o cat --no-pager');
    expect(settings).not.toContain('journald@bore.conf'); // a line that it does not understand
    expect(await run('journalctl --namespace=bore -o cat --no-pager')).toMatch(
      /^System Journal .* max 1\.0G/m,
    );
  });

  it('start a server again however often it was started before, and after it was killed', async () => {
    for (let times = 0; times < 12; times++) await run('systemctl restart bore');
    expect(await show('bore-health.timer', 'ActiveState')).toBe('active');
    const killed = await show('bore', 'MainPID');
    await run('systemctl kill --signal=SIGKILL bore');
    await waitUntil(
      async () => ![killed, '0'].includes(await show('bore', 'MainPID')),
      'bore is started again',
    );
    await waitUntil(() => isHealthy('127.0.0.1'), 'bore answers again');
  });

  it('do not start a server whose settings have no secret, and say so', async () => {
    await run('systemctl stop bore');
    expect((await machine.run('systemctl start bore@open')).code).not.toBe(0);
    const log = () => machine.run('journalctl --namespace=bore -u bore@open -o cat --no-pager');
    const complaint = 'BORE_SECRET is missing or empty in /etc/bore/bore@open.env';
    await waitUntil(async () => (await log()).output.includes(complaint), complaint);
    expect(await isHealthy('127.0.0.5')).toBe(false);
    await run('systemctl stop bore@open');
  });

  it('run two servers on two addresses, each with its own settings', async () => {
    await run('systemctl stop bore && echo BORE_BIND_ADDR=127.0.0.3 >>/etc/bore/bore.env');
    const pids = [await start('bore', '127.0.0.3'), await start('bore@2', '127.0.0.4')];
    expect(new Set(pids).size).toBe(2);
    expect(await run(`tr '\\0' '\\n' </proc/${pids[1]}/environ | grep MIN_PORT`)).toBe('BORE_MIN_PORT=29000');

    // The health check looks for the first where it is not: no reason to interrupt it.
    expect((await machine.run('systemctl start bore-health')).code).not.toBe(0);
    expect(await show('bore', 'MainPID')).toBe(pids[0]);
    await run(`systemctl stop bore bore@2 && sed -i /^BORE_BIND_ADDR/d /etc/bore/bore.env`);
  });

  it('listen on IPv6 and IPv4 with the address ::', async () => {
    await run('systemctl stop bore && echo BORE_BIND_ADDR=:: >>/etc/bore/bore.env');
    await start('bore', '::1');
    expect(await isHealthy('127.0.0.1')).toBe(true);
    await run('systemctl stop bore && sed -i /^BORE_BIND_ADDR/d /etc/bore/bore.env');
  });

  it('restart a server that hangs, but not one that answers or was stopped', async () => {
    const hanging = await start('bore', '127.0.0.1');
    await run(`kill -STOP ${hanging}`);
    expect((await machine.run('systemctl start bore-health')).code).not.toBe(0);
    await waitUntil(() => isHealthy('127.0.0.1'), 'the server that hung answers again');
    const pid = await show('bore', 'MainPID');
    expect(pid).not.toBe(hanging);
    await run('systemctl start bore-health');
    expect(await show('bore', 'MainPID')).toBe(pid);

    await run('systemctl stop bore');
    expect((await machine.run('systemctl start bore-health')).code).not.toBe(0);
    expect(await show('bore', 'ActiveState')).toBe('inactive');
  });

  it('check the health only while the server is meant to run', async () => {
    // systemctl waits for the server's own job, not for the timer's.
    const expectTimer = (state: string) =>
      waitUntil(
        async () => (await show('bore-health.timer', 'ActiveState')) === state,
        `the timer is ${state}`,
      );
    await run('systemctl start bore');
    await expectTimer('active');
    await run('systemctl stop bore');
    await expectTimer('inactive');
  });
});
