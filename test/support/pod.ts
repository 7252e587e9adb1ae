// Runs a pod of a Deployment without Kubernetes: each container's own command with its arguments, environment, user,
// volumes and probes, in namespaces of its own on a machine. Stands for the kubelet, which restarts nothing here.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Container, type Deployment, type KubeObject, listKind, type PodSpec } from './kubernetes.ts';
import type { Machine } from './machines.ts';
import { waitUntil } from './wait-until.ts';

/** Of the images. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Data of Secrets and ConfigMaps: name → key → text. */
type Data = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface PodOptions {
  readonly machine: Machine;
  readonly deployment: Deployment;
  /** Where its ConfigMaps are. */
  readonly objects: readonly KubeObject[];
  readonly secrets: Data;
  /** Programs that the containers' images have in /usr/local/bin; everything else is this machine's own. */
  readonly programs: readonly string[];
}

export interface Pod {
  container(name: string): RunningContainer;
  /** Replaces a file of a Secret's volume, as the kubelet does when the Secret changed. */
  replace(volume: string, file: string, text: string): Promise<void>;
  /** Kills all that still runs. */
  stop(): Promise<void>;
}

export interface RunningContainer {
  /** Process 1 of the container, as the machine numbers it. */
  readonly pid: number;
  /** Exit code of process 1; 128 and the number of the signal if one ended it. */
  readonly exited: Promise<number>;
  readLog(): Promise<string>;
  kill(): void;
  /** Whether the probe succeeds, and what it said. */
  probe(kind: 'startupProbe' | 'readinessProbe' | 'livenessProbe'): Promise<{ ok: boolean; said: string }>;
}

// Prepares the file system and drops all rights, as a container runtime does, before it starts the command.
// $1 user, $2 group, $3 folder of the image's programs; then pairs of folder and mount path; `--`, and the command.
// The standard streams belong to the container's user: nginx opens /dev/stdout again.
// 1024 is the soft limit that containerd gives where systemd limits it.
const BOOT = `
  set -eu
  drop="setpriv --reuid $1 --regid $2 --clear-groups --no-new-privs --bounding-set -all --inh-caps -all"
  mount --bind "$3" /usr/local/bin
  user=$1:$2
  shift 3
  while [ "$1" != -- ]; do
    mkdir -p "$2"
    mount --bind "$1" "$2"
    shift 2
  done
  chown "$user" /proc/self/fd/1 /proc/self/fd/2
  for folder in / /etc /run; do mount -o remount,bind,ro "$folder"; done
  ulimit -Sn 1024
  shift
  exec $drop "$@"`;

/** Resolves when all containers have been started, not yet when they are ready. */
export async function startPod(options: PodOptions): Promise<Pod> {
  const { machine, deployment } = options;
  const { spec } = deployment.spec.template;
  const folder = await mkdtemp(join(tmpdir(), 'pod-'));
  const volumes = await writeVolumes(folder, spec, options);
  const programs = await makeFolder(join(folder, 'programs'), 0o755);
  for (const program of options.programs) await copyFile(program, join(programs, basename(program)));
  for (const { name, value } of spec.securityContext.sysctls)
    await machine.finish('sh', ['-c', 'echo "$2" >"/proc/sys/$1"', 'sh', name.replaceAll('.', '/'), value]);
  const containers = new Map<string, RunningContainer>();
  for (const container of spec.containers) {
    const mounts = listMounts(container, volumes);
    const log = join(folder, `${container.name}.log`);
    const child = await boot({ container, mounts, programs, log }, options);
    containers.set(container.name, await watch(child, { container, log }, options));
  }
  return {
    container: name => containers.get(name) ?? missing(`container ${name}`),
    replace: (volume, file, text) => writeFile(join(volumes.get(volume) ?? missing(volume), file), text),
    stop: async () => {
      for (const { kill, exited } of containers.values()) {
        kill();
        await exited;
      }
      await rm(folder, { recursive: true });
    },
  };
}

function missing(what: string): never {
  throw new Error(`the pod refers to something that is not there: ${what}`);
}

/** With exactly these permissions, whatever the umask is. */
async function makeFolder(folder: string, mode: number): Promise<string> {
  await mkdir(folder);
  await chmod(folder, mode);
  return folder;
}

/** Name of the volume → its folder. Everybody may write into an emptyDir, as on a real node. */
async function writeVolumes(folder: string, { volumes }: PodSpec, options: PodOptions) {
  const folders = new Map<string, string>();
  await chmod(folder, 0o755);
  for (const { name, emptyDir, configMap, secret } of volumes) {
    const volume = await makeFolder(join(folder, `volume-${name}`), emptyDir === undefined ? 0o755 : 0o777);
    folders.set(name, volume);
    if (emptyDir !== undefined) continue;
    const data =
      secret === undefined
        ? readConfigMap(options, configMap?.name ?? missing(name))
        : readSecret(options, secret.secretName);
    const items = (secret ?? configMap)?.items ?? Object.keys(data).map(key => ({ key, path: key }));
    for (const { key, path } of items) await writeFile(join(volume, path), data[key] ?? missing(key));
  }
  return folders;
}

function readConfigMap({ objects }: PodOptions, name: string): Readonly<Record<string, string>> {
  return listKind(objects, 'ConfigMap').find(one => one.metadata.name === name)?.data ?? missing(name);
}

function readSecret({ secrets }: PodOptions, name: string): Readonly<Record<string, string>> {
  return secrets[name] ?? missing(name);
}

/** `NAME=value` of each variable. */
function readEnvironment({ env }: Container, options: PodOptions): string[] {
  return env.map(({ name, valueFrom: { secretKeyRef: secret, configMapKeyRef: configMap } }) => {
    const from = secret ?? configMap ?? missing(name);
    const data = secret === undefined ? readConfigMap(options, from.name) : readSecret(options, from.name);
    return `${name}=${data[from.key] ?? missing(from.key)}`;
  });
}

/** Pairs of folder and mount path. One over the folder of the others comes last. */
function listMounts({ volumeMounts }: Container, volumes: ReadonlyMap<string, string>): string[] {
  return volumeMounts
    .toSorted((a, b) => Number(a.mountPath === tmpdir()) - Number(b.mountPath === tmpdir()))
    .flatMap(({ name, mountPath }) => [volumes.get(name) ?? missing(name), mountPath]);
}

interface Boot {
  readonly container: Container;
  readonly mounts: readonly string[];
  readonly programs: string;
  readonly log: string;
}

/** The user and group of the container. */
function readUser({ securityContext }: Container, { deployment }: PodOptions): string[] {
  const { runAsUser, runAsGroup } = { ...deployment.spec.template.spec.securityContext, ...securityContext };
  return [String(runAsUser), String(runAsGroup)];
}

async function boot({ container, mounts, programs, log }: Boot, options: PodOptions): Promise<ChildProcess> {
  const namespaces = ['--mount', '--propagation=private', '--pid', '--fork', '--mount-proc'];
  const command = ['env', '-i', `PATH=${PATH}`, ...readEnvironment(container, options)];
  const args = [...readUser(container, options), programs, ...mounts, '--', ...command];
  const output = await open(log, 'a');
  const child = options.machine.run(
    'unshare',
    [...namespaces, 'bash', '-c', BOOT, 'boot', ...args, ...container.command, ...container.args],
    { stdio: ['ignore', output.fd, output.fd] },
  );
  await once(child, 'spawn');
  await output.close();
  return child;
}

async function watch(
  child: ChildProcess,
  { container, log }: Pick<Boot, 'container' | 'log'>,
  options: PodOptions,
): Promise<RunningContainer> {
  // unshare ends as its child does.
  let ended = false;
  const exited = new Promise<number>(resolve =>
    child.once('exit', (code, signal) => {
      ended = true;
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    }),
  );
  let pid = 0;
  await waitUntil(async () => {
    // The process that unshare has forked.
    pid = Number(await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').catch(() => ''));
    return pid > 0 || ended;
  }, `the container ${container.name} has a process`);
  return {
    pid,
    exited,
    kill: () => void (ended || process.kill(pid, 'SIGKILL')),
    readLog: () => readFile(log, 'utf8'),
    probe: kind => {
      const probe = container[kind] ?? missing(`${container.name}'s ${kind}`);
      if (probe.httpGet !== undefined) return getFromPod(container, probe.httpGet, options);
      const command = probe.exec?.command ?? missing(`exec of ${kind}`);
      const [user = '', group = ''] = readUser(container, options);
      const inside = ['--target', String(pid), '--mount', '--pid', '--net'];
      const rights = ['--reuid', user, '--regid', group, '--clear-groups', '--no-new-privs'];
      return run('nsenter', [...inside, 'setpriv', ...rights, ...command], probe.timeoutSeconds * 1_000);
    },
  };
}

/** As the kubelet does, from the node: by the address of the pod. */
function getFromPod(
  { ports }: Container,
  { path, port }: { path: string; port: string | number },
  { machine }: PodOptions,
) {
  const number = ports.find(({ name }) => name === port)?.containerPort ?? port;
  const url = `http://${machine.ipv4}:${number}${path}`;
  return run('nsenter', [`--target=${machine.pid}`, '--net', 'curl', '-sSf', url], 20_000);
}

async function run(command: string, args: readonly string[], timeout: number) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
  const output = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { ok: child.exitCode === 0, said: `${output[0]}${output[1]}`.trim() };
}
