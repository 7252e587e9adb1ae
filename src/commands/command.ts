// What a command is: its flags and help, how it is called, and its exit code. Used by every command.

import type { ShellContext } from './shell.ts';

/** 0 fine, 1 failed, 2 wrong usage, 124 the time is up (as the command `timeout` of GNU does). */
export type ExitCode = 0 | 1 | 2 | 124;

/** Values of `--name value` and `--name` flags; all values of a flag that may be repeated. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface CommandCall {
  flags: Flags;
  positionals: readonly string[];
  shell: ShellContext;
}

export interface Command {
  /** One line for the list of commands. */
  summary: string;
  /** What follows `expose NAME`. */
  usage: string;
  /** More help, printed after the summary. */
  notes?: string;
  /** How many arguments it takes that are not flags; 0 if absent. */
  maxArguments?: number;
  /**
   * Flag → what it means. Those that take a value are written `name VALUE`, or `name[=VALUE]` if they mean true without
   * one, or `name VALUE…` if they may be repeated. Every command has --json and --help.
   */
  flags: Readonly<Record<string, string>>;
  run(call: CommandCall): Promise<ExitCode>;
}
