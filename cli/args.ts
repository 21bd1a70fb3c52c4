// The wall around commander: turns words into one invocation, or into the text that explains what is
// wrong with them. Nothing runs in here; main.ts does what the invocation says.
import { Argument, Command, CommanderError, Option } from "commander";
import { MeshError } from "#/lib/errors.ts";
import { globalOptions } from "./command-tree.ts";
import type * as tree from "./command-tree.ts";

export class UsageError extends MeshError<"usage"> {}

export interface Invocation {
  readonly kind: "run";
  /** "certs list". */
  readonly path: string;
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** By name without dashes: true for a switch. */
  readonly options: Readonly<Record<string, string | true>>;
}

export interface Help {
  readonly kind: "help";
  readonly text: string;
}

export interface ArgumentsContext {
  /** "0.1.0", what --version says. */
  readonly version: string;
  /** Columns that help may take. */
  readonly width: number;
}

/** Throws UsageError, whose `next` names the help that tells more. */
export function readArguments(
  root: tree.Command,
  commandLine: readonly string[],
  context: ArgumentsContext,
): Invocation | Help {
  if (commandLine.length === 0) return readArguments(root, ["--help"], context);
  const [first, ...after] = commandLine;
  if (first === "help") return readArguments(root, [...after, "--help"], context);
  const reading = new Reading(context);
  const program = reading.build(root, []);
  program.version(context.version, "--version", "show the version").helpCommand(false);
  try {
    program.parse([...commandLine], { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // Help about a command that there is not is no help: without the asking, the fault comes out.
    const isHelp = thrown.code === "commander.helpDisplayed";
    if (isHelp && !isCommand(root, commandLine)) {
      return readArguments(root, commandLine.filter(isNoHelpOption), context);
    }
    return reading.explain(thrown, commandLine, root);
  }
  if (reading.invocation !== null) return reading.invocation;
  return { kind: "help", text: program.helpInformation() };
}

class Reading {
  invocation: Invocation | null = null;
  readonly #context: ArgumentsContext;
  #output = "";

  constructor(context: ArgumentsContext) {
    this.#context = context;
  }

  build(node: tree.Command, path: readonly string[]): Command {
    const command = new Command(node.name)
      .exitOverride()
      .configureOutput({
        writeOut: (text) => void (this.#output += text),
        writeErr: () => undefined,
        getOutHelpWidth: () => this.#context.width,
        getErrHelpWidth: () => this.#context.width,
      })
      .helpOption("-h, --help", "show this help")
      .summary(node.summary)
      .description(
        node.details === undefined ? node.summary : `${node.summary}.\n\n${node.details}`,
      )
      .showSuggestionAfterError(true);
    for (const each of globalOptions) command.addOption(optionOf(each));
    for (const each of node.options ?? []) command.addOption(optionOf(each));
    const examples = examplesText(node.examples ?? []);
    if (examples !== "") command.addHelpText("after", examples);
    if (node.commands === undefined) return this.#buildLeaf(command, node, path);
    for (const child of node.commands) {
      const built = this.build(child, [...path, child.name]);
      command.addCommand(built, { hidden: child.isHidden === true });
    }
    return command.helpCommand(false);
  }

  #buildLeaf(command: Command, node: tree.Command, path: readonly string[]): Command {
    for (const each of node.arguments ?? []) command.addArgument(argumentOf(each));
    return command.action(() => {
      const words = (node.arguments ?? []).map((each, index) => {
        const value: unknown = command.processedArgs[index];
        return [each.name, Array.isArray(value) ? value.map(String) : [String(value)]] as const;
      });
      this.invocation = {
        kind: "run",
        path: path.join(" "),
        words: Object.fromEntries(words),
        options: optionsOf(command),
      };
    });
  }

  explain(thrown: CommanderError, commandLine: readonly string[], root: tree.Command): Help {
    if (thrown.code === "commander.helpDisplayed" || thrown.code === "commander.version") {
      return { kind: "help", text: this.#output };
    }
    const named = namedPath(root, commandLine);
    const help = ["signet", ...named, "--help"].join(" ");
    if (thrown.code === "commander.help") {
      const what = named.length === 0 ? "a command" : `a command of ${quote(named.join(" "))}`;
      throw new UsageError("usage", `Cannot run signet: ${what} is missing`, {
        next: `See ${quote(help)}`,
      });
    }
    const state = thrown.message
      .replace(/^error: /, "")
      .replaceAll("'", '"')
      .replace(/\n/g, " ");
    const next =
      (thrown.code === "commander.unknownOption" ? dashesHint(root, named) : null) ??
      `See ${quote(help)}`;
    throw new UsageError("usage", `Cannot run signet: ${state}`, { next });
  }
}

/** Global options may stand before the command's words; what stands nearest wins. */
function optionsOf(command: Command): Record<string, string | true> {
  const found: Record<string, string | true> = {};
  const chain: Command[] = [];
  for (let each: Command | null = command; each !== null; each = each.parent) chain.unshift(each);
  for (const each of chain) {
    for (const option of each.options) {
      const key = option.attributeName();
      const value: unknown = each.getOptionValue(key);
      const given = each.getOptionValueSource(key) === "cli";
      if (given || (option.defaultValue !== undefined && !(option.name() in found))) {
        found[option.name()] = value === true ? true : String(value);
      }
    }
  }
  return found;
}

function optionOf(option: tree.Option): Option {
  const names = option.short === undefined ? option.long : `${option.short}, ${option.long}`;
  const flags = option.value === undefined ? names : `${names} <${option.value.name}>`;
  const built = flagOf(flags, option.summary);
  const kind = option.value?.kind;
  if (typeof kind === "object") built.choices(kind.choices);
  if (option.byDefault !== undefined) built.default(option.byDefault);
  if (option.excludes !== undefined) built.conflicts(flagOf(option.excludes, "").attributeName());
  return built;
}

/** A switch of its own whatever its name: commander would make "--no-x" set the option "--x". */
function flagOf(flags: string, summary: string): Option {
  const built = new Option(flags, summary);
  built.negate = false;
  return built;
}

function argumentOf(argument: tree.Argument): Argument {
  const dots = argument.variadic === true ? "..." : "";
  const name = `${argument.name}${dots}`;
  const shown = argument.isOptional === true ? `[${name}]` : `<${name}>`;
  const built = new Argument(shown, argument.summary);
  if (typeof argument.kind === "object") built.choices(argument.kind.choices);
  return built;
}

function examplesText(examples: readonly tree.Example[]): string {
  if (examples.length === 0) return "";
  const lines = examples.flatMap(({ command, shows }) => [`  # ${shows}`, `  ${command}`]);
  return `\nExamples:\n${lines.join("\n")}\n`;
}

const isNoHelpOption = (word: string): boolean => word !== "--help" && word !== "-h";

/** False: where a command's name must stand there is another word. */
function isCommand(root: tree.Command, commandLine: readonly string[]): boolean {
  const valued = globalOptions.filter(({ value }) => value !== undefined);
  let node = root;
  let isValue = false;
  for (const word of commandLine) {
    if (node.commands === undefined || word === "--") return true;
    if (word.startsWith("-")) {
      isValue = valued.some(({ long, short }) => word === long || word === short);
      continue;
    }
    if (isValue) {
      isValue = false;
      continue;
    }
    const child: tree.Command | undefined = node.commands.find(({ name }) => name === word);
    if (child === undefined) return false;
    node = child;
  }
  return true;
}

/** As far as the words name commands: whose help to point at. */
function namedPath(root: tree.Command, commandLine: readonly string[]): string[] {
  const path: string[] = [];
  let node = root;
  for (const word of commandLine) {
    const child: tree.Command | undefined = node.commands?.find(({ name }) => name === word);
    if (child === undefined) continue;
    path.push(word);
    node = child;
  }
  return path;
}

/** For a command that takes another's words: how to tell those from its own. */
function dashesHint(root: tree.Command, path: readonly string[]): string | null {
  let node: tree.Command | undefined = root;
  for (const word of path) node = node?.commands?.find(({ name }) => name === word);
  const last = node?.arguments?.at(-1);
  if (last?.variadic !== true || last.isOptional === true) return null;
  const before = (node?.arguments ?? []).slice(0, -1).map(({ name }) => name.toUpperCase());
  const usage = ["signet", ...path, ...before, "--", `${last.name.toUpperCase()}...`].join(" ");
  return `Put -- before the ${last.name}: ${usage}`;
}

function quote(text: string): string {
  return `"${text}"`;
}
