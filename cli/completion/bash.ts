// Completion for bash 4 and later, without the bash-completion package. Pure text.
import type { Command, ValueKind } from "../command-tree.ts";
import type { Place } from "./table.ts";
import { askedKind, namesOf, places, valueOptionNames } from "./table.ts";

/** The script that `eval "$(signet completion bash)"` loads. */
export function bashCompletion(root: Command): string {
  const all = places(root);
  return `# bash completion for signet, made from its command tree.
# Load it with: eval "$(signet completion bash)"
_signet_offer() {
  local IFS=$'\\n'
  COMPREPLY+=($(compgen -W "$1" -- "$2"))
}

_signet_ask() {
  _signet_offer "$("\${COMP_WORDS[0]}" complete "$1" 2>/dev/null)" "$2"
}

_signet_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen "$1" -- "$2"))
}

_signet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local place="" word index skip=0 count=0
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if ((skip)); then
      skip=0
      continue
    fi
    case "$word" in
      --) _signet_files -f "$current"; return ;;
      ${valueOptionNames(all).join(" | ")}) skip=1; continue ;;
      -*) continue ;;
    esac
    case "$place/$word" in
${moves(all)}
      *) count=$((count + 1)) ;;
    esac
  done
  case "$place $previous" in
${all.flatMap(optionValues).join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    case "$place" in
${all.map(optionNames).join("\n")}
    esac
    return
  fi
  case "$place:$count" in
${all.flatMap(nextWords).join("\n")}
  esac
}
complete -F _signet signet
`;
}

function moves(all: readonly Place[]): string {
  return all
    .flatMap(({ path, commands }) =>
      commands.map(({ name }) => `      "${path}/${name}") place="${`${path} ${name}`.trim()}" ;;`),
    )
    .join("\n");
}

function optionValues(place: Place): string[] {
  return place.options.flatMap((option) => {
    if (option.value === undefined) return [];
    const patterns = namesOf(option).map((name) => `"${place.path} ${name}"`);
    return [`    ${patterns.join(" | ")}) ${offer(option.value.kind)}; return ;;`];
  });
}

function optionNames({ path, options }: Place): string {
  return `      "${path}") _signet_offer ${lines(options.flatMap(namesOf))} "$current" ;;`;
}

function nextWords(place: Place): string[] {
  const commands = place.commands.map(({ name }) => name);
  if (commands.length > 0) {
    return [`    "${place.path}:"*) _signet_offer ${lines(commands)} "$current" ;;`];
  }
  return place.arguments.map(
    ({ kind }, index) => `    "${place.path}:${index}") ${offer(kind)} ;;`,
  );
}

function offer(kind: ValueKind): string {
  if (typeof kind === "object") return `_signet_offer ${lines(kind.choices)} "$current"`;
  if (kind === "directory") return '_signet_files -d "$current"';
  const asked = askedKind(kind);
  const parts = [
    ...(asked === null ? [] : [`_signet_ask ${asked} "$current"`]),
    ...(kind === "file" || kind === "pod-or-file" ? ['_signet_files -f "$current"'] : []),
  ];
  return parts.length === 0 ? ":" : parts.join("; ");
}

/** One word a line, quoted so that bash reads the line ends. */
function lines(words: readonly string[]): string {
  return String.raw`$'${words.join(String.raw`\n`)}'`;
}
