// Finds a command by its name, parses its arguments, prints help, and turns errors into exit codes. Used by cli.

import { parseArgs } from 'node:util';
import { ControlError } from '../control/client.ts';
import { describeError, hasCode, InputError } from '../shared/errors.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { Command, CommandCall, ExitCode, Flags } from './command.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { replay } from './replay.ts';
import { requests } from './requests.ts';
import { run } from './run.ts';
import { status, stop, url } from './running.ts';
import { server } from './server.ts';
import { SECRET_VARIABLES, type ShellContext } from './shell.ts';
import { print, printAside } from './terminal.ts';
import { verify } from './verify.ts';
import { readVersion } from './version.ts';
import { wait } from './wait.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  demo,
  run,
  doctor,
  server,
  url,
  status,
  requests,
  wait,
  replay,
  verify,
  stop,
};

const COMMON_FLAGS = {
  json: 'print JSON instead of text',
  help: 'print this help',
};

/** Columns of a terminal that nobody has made wider. */
const HELP_WIDTH = 80;

/** Runs `expose ARGUMENTS`; errors are printed, never thrown. */
export async function runCommand(args: readonly string[], shell: ShellContext): Promise<ExitCode> {
  const [name = '', ...rest] = args;
  if (name === '--version') {
    print(readVersion());
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    const asked = ['', 'help', '--help', '-h'].includes(name);
    if (!asked) printAside(`expose: there is no command '${sanitise(name)}'\n`);
    (asked ? print : printAside)(renderOverview());
    return asked && name !== '' ? 0 : 2;
  }
  try {
    const call = parseCall(command, rest, shell);
    if (call.flags.help) {
      print(renderHelp(name, command));
      return 0;
    }
    return await command.run(call);
  } catch (error) {
    const lines = describeError(error).split('\n');
    printAside(lines.map(line => `expose ${name}: ${line}`).join('\n'));
    return isWrongUsage(error) ? 2 : 1;
  }
}

/** Also if the preview's API says so. */
function isWrongUsage(error: unknown): boolean {
  return error instanceof InputError || (error instanceof ControlError && error.status === 400);
}

function parseCall(command: Command, args: readonly string[], shell: ShellContext): CommandCall {
  const flags = Object.keys({ ...command.flags, ...COMMON_FLAGS });
  const options = Object.fromEntries(
    flags.map(flag => {
      const [name = '', value] = flag.split(/ |\[=/);
      const type = value === undefined ? ('boolean' as const) : ('string' as const);
      return [name, { type, multiple: flag.endsWith('…') }];
    }),
  );
  // parseArgs has no flags with an optional value.
  const complete = (arg: string) =>
    flags.some(flag => `--${flag}`.startsWith(`${arg}[=`)) ? `${arg}=true` : arg;
  try {
    const { values, positionals } = parseArgs({ args: args.map(complete), options, allowPositionals: true });
    const extra = positionals[command.maxArguments ?? 0];
    if (extra !== undefined && !values.help)
      throw new InputError(`unexpected argument '${sanitise(extra)}'; see --help`);
    return { flags: values as Flags, positionals, shell };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`${describeMisuse(cause)}; see --help`);
  }
}

/** Node's messages begin with the problem; the advice after it does not fit these commands, and is left out. */
function describeMisuse(error: unknown): string {
  const [message = ''] = describeError(error).split(/\. (?=[A-Z])/);
  if (!hasCode(error, 'ERR_PARSE_ARGS_UNKNOWN_OPTION')) return sanitise(message);
  const flag = /'(-[^']*)'/.exec(message)?.[1] ?? '';
  const secret = Object.entries(SECRET_VARIABLES).find(([name]) => flag === `--${name}`);
  return secret !== undefined
    ? `a secret as an argument can be read by every user of this machine: set ${secret[1]}, or give ${flag}-file FILE`
    : `there is no flag ${sanitise(flag)}`;
}

function renderOverview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(8)} ${summary}`);
  return `Usage: expose COMMAND [--help]\n       expose --version\n\n${rows.join('\n')}\n\nTry \`expose demo\`: it needs no server and no account.`;
}

function renderHelp(name: string, command: Command): string {
  const flags = Object.entries({ ...command.flags, ...COMMON_FLAGS });
  const width = Math.max(...flags.map(([flag]) => flag.length));
  const rows = flags.map(([flag, meaning]) => wrap(`  --${flag.padEnd(width)}  `, meaning));
  const notes = command.notes === undefined ? [] : [wrap('', command.notes)];
  const usage = wrap(`Usage: expose ${name} `, command.usage).trimEnd();
  return `${usage}\n\n${[command.summary, ...notes].join('\n')}\n\n${rows.join('\n')}`;
}

/** `text` behind `head`, in lines that fit a terminal; words are not broken, nor is what stands in brackets. */
function wrap(head: string, text: string): string {
  const lines: string[] = [];
  let line = head;
  for (const word of text.match(/\[[^\]]*\]\S*|\S+/g) ?? []) {
    const isFirst = line.length === head.length && line.trim() === (lines.length === 0 ? head.trim() : '');
    if (!isFirst && line.length + 1 + word.length > HELP_WIDTH) {
      lines.push(line);
      line = ' '.repeat(head.length) + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
