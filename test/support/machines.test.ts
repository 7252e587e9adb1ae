import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { type Machine, type MachinesOptions, startMachines } from './machines.ts';
import { describeWithReal } from './real-parts.ts';
import { isRunning } from './running.ts';
import { waitUntil } from './wait-until.ts';

/** Answers each connection with the address it came from, and the machine's name. */
const GREETER = `const { hostname } = require('node:os');
  require('node:net').createServer(s => s.on('error', () => {}).end(s.remoteAddress + ' ' + hostname()))
  .listen(7835, '::', () => console.log('listening'))`;
/** Prints what a server says, or the error's code. */
const CALL = `const [, host] = process.argv;
  require('node:net').connect({ port: 7835, host, timeout: 1000 })
  .on('data', text => process.stdout.write(text))
  .on('timeout', function () { console.log('timeout'); this.destroy(); })
  .on('error', error => console.log(error.code ?? error.errors[0].code))`;

async function start<Name extends string>(options: MachinesOptions<Name>) {
  const rig = await startMachines(options);
  onTestFinished(() => rig.stop());
  return rig;
}

async function greet(machine: Machine): Promise<void> {
  const child = machine.run(process.execPath, ['-e', GREETER], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('no pipe');
  await once(child.stdout, 'data');
}

const call = async (from: Machine, host: string) =>
  (await from.finish(process.execPath, ['-e', CALL, host])).stdout.trim();

/** IPv4 and IPv6 addresses of a name, as programs on the machine see them. */
const resolve = async (machine: Machine, name: string) =>
  [...new Set((await machine.finish('getent', ['ahosts', name])).stdout.match(/^\S+/gm))].toSorted();

describeWithReal(['machines'], 'machines on one switch', () => {
  it('reach each other by IPv4 and IPv6, each with its own address and name', async () => {
    const { machines } = await start({ names: ['vm', 'visitor'] });
    const { vm, visitor } = machines;
    await greet(vm);
    expect(await call(visitor, vm.ipv4)).toBe(`::ffff:${visitor.ipv4} vm`);
    expect(await call(visitor, vm.ipv6 ?? '')).toBe(`${visitor.ipv6} vm`);
    expect(await call(visitor, visitor.ipv4)).toBe('ECONNREFUSED');
    expect(await call(visitor, '198.51.100.1')).toBe('ENETUNREACH');
  });

  it('find names by a DNS server whose records change while it runs', async () => {
    const { machines, setRecord } = await start({ names: ['vm', 'visitor'] });
    const { vm, visitor } = machines;
    await greet(vm);
    await setRecord('*.preview.example.com', [vm.ipv4, vm.ipv6 ?? '']);
    await setRecord('www.example.com', ['CNAME 1.preview.example.com.']);
    expect(await resolve(visitor, 'www.example.com')).toEqual([vm.ipv6, vm.ipv4].toSorted());
    expect(await call(visitor, '20000.preview.example.com')).toMatch(/ vm$/);
    await Promise.all([
      setRecord('*.preview.example.com', [visitor.ipv4]),
      setRecord('www.example.com', []),
      setRecord('bore.example.com', [vm.ipv4]),
    ]);
    expect(await resolve(visitor, '20000.preview.example.com')).toEqual([visitor.ipv4]);
    expect(await call(visitor, 'www.example.com')).toBe('ENOTFOUND');
    expect(await resolve(visitor, 'bore.example.com')).toEqual([vm.ipv4]);
    await expect(setRecord('bore.example.com', ['NOTHING'])).rejects.toThrow('knotc on dns exited with 1');
  });

  it('may change a zone of the DNS server with its key', async () => {
    const key = { name: 'certbot.', secret: Buffer.alloc(32, 'k').toString('base64') };
    const { machines, dnsAddress, setRecord } = await start({
      names: ['vm'],
      updates: { zone: 'challenge.example.com', key },
    });
    const update = (secret: string) =>
      machines.vm.finish('knsupdate', ['-y', `hmac-sha256:${key.name}:${secret}`], {
        input: `server ${dnsAddress}\nzone challenge.example.com\nadd x.challenge.example.com. 1 A 192.0.2.1\nsend\n`,
      });
    expect((await update(Buffer.alloc(32, 'x').toString('base64'))).code).toBe(1);
    expect(await resolve(machines.vm, 'x.challenge.example.com')).toEqual([]);
    expect((await update(key.secret)).code).toBe(0);
    await setRecord('y.example.com', ['192.0.2.2']);
    expect(await resolve(machines.vm, 'x.challenge.example.com')).toEqual(['192.0.2.1']);
    expect(await resolve(machines.vm, 'y.example.com')).toEqual(['192.0.2.2']);
  });

  it('have a firewall each, whose rules can be replaced', async () => {
    const { machines } = await start({ names: ['vm', 'visitor'] });
    const { vm, visitor } = machines;
    await greet(vm);
    await vm.firewall('tcp dport 7835 drop');
    expect(await call(visitor, vm.ipv4)).toBe('timeout');
    await vm.firewall('ip saddr 192.0.2.1 accept\ntcp dport 7835 reject with tcp reset');
    expect(await call(visitor, vm.ipv4)).toBe('ECONNREFUSED');
    await vm.firewall('');
    expect(await call(visitor, vm.ipv4)).toMatch(/ vm$/);
    await expect(vm.firewall('nonsense')).rejects.toThrow('nft on vm exited with 1');
  });

  it('have files of their own, and this machine does not see them', async () => {
    const { machines } = await start({ names: ['vm', 'visitor'], ownFolders: ['/usr/local'] });
    const { vm, visitor } = machines;
    const before = readFileSync('/etc/hosts', 'utf8');
    await vm.finish('sh', [
      '-c',
      'echo 192.0.2.9 there >>/etc/hosts; echo hello >/usr/local/greeting; echo 1 >/run/x',
    ]);
    expect(await resolve(vm, 'there')).toEqual(['192.0.2.9']);
    expect(await resolve(visitor, 'there')).toEqual([]);
    expect(readFileSync(vm.path('/usr/local/greeting'), 'utf8')).toBe('hello\n');
    expect([visitor.path('/usr/local/greeting'), '/usr/local/greeting', '/run/x'].filter(existsSync)).toEqual(
      [],
    );
    expect(readFileSync('/etc/hosts', 'utf8')).toBe(before);
    expect((await vm.finish('pwd', [], { cwd: '/usr/local' })).stdout).toBe('/usr/local\n');
  });

  it('behind a router share its address, which leads in from outside but not from behind it', async () => {
    const { machines, routerAddress, setRecord } = await start({
      names: ['visitor', 'vm', 'laptop'],
      home: { names: ['vm', 'laptop'], forward: { to: 'vm', ports: '7835, 20000-29999' } },
    });
    const { vm, visitor, laptop } = machines;
    await Promise.all([greet(vm), greet(visitor)]);
    await setRecord('bore.example.com', [routerAddress]);
    expect(await call(visitor, 'bore.example.com')).toBe(`::ffff:${visitor.ipv4} vm`);
    expect(await call(laptop, visitor.ipv4)).toBe(`::ffff:${routerAddress} visitor`);
    expect(await call(laptop, vm.ipv4)).toMatch(/ vm$/);
    expect(await call(laptop, 'bore.example.com')).toBe('ECONNREFUSED');
    expect(await call(visitor, vm.ipv4)).toBe('ENETUNREACH');
  });

  it('end with everything that runs on them when they are stopped', async () => {
    const rig = await startMachines({ names: ['vm'] });
    const child = rig.machines.vm.run('sh', ['-c', 'setsid sleep 600 & echo $!; wait'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.stdout === null) throw new Error('no pipe');
    const [pid] = await once(child.stdout, 'data');
    await Promise.all([rig.stop(), once(child, 'exit')]);
    expect(isRunning(Number(pid))).toBe(false);
    await rig.stop();
  });

  it('end with everything that runs on them when their owner is killed', async () => {
    const module = JSON.stringify(new URL('./machines.ts', import.meta.url).href);
    const code = `const { startMachines } = await import(${module});
      const { machines } = await startMachines({ names: ['vm'] });
      console.log(machines.vm.pid, machines.vm.run('sleep', ['600']).pid);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void owner.kill('SIGKILL'));
    const [line] = await once(createInterface(owner.stdout), 'line');
    const pids = String(line).split(' ').map(Number);
    expect(pids.map(isRunning)).toEqual([true, true]);
    owner.kill('SIGKILL');
    await waitUntil(() => !pids.some(isRunning), 'all are gone');
  });
});
