// Completion for zsh. Pure text.
import type { Command, ValueKind } from "../command-tree.ts";
import type { Place } from "./table.ts";
import { askedKind, namesOf, places, valueOptionNames } from "./table.ts";

/** The script for a file named _signet in a folder of $fpath, or for `source <(...)`. */
export function zshCompletion(root: Command): string {
  const all = places(root);
  return `#compdef signet
# zsh completion for signet, made from its command tree.
# Load it with: signet completion zsh > "\${fpath[1]}/_signet"
_signet_ask() {
  local -a names
  names=(\${(f)"$("\${words[1]}" complete "$1" 2>/dev/null)"})
  compadd -a names
}

_signet() {
  local place="" word previous="\${words[CURRENT-1]}" current="\${words[CURRENT]}"
  local -i index skip=0 count=0
  local -a offered
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    if ((skip)); then
      skip=0
      continue
    fi
    case "$word" in
      (--) _files; return ;;
      (${valueOptionNames(all).join("|")}) skip=1; continue ;;
      (-*) continue ;;
    esac
    case "$place/$word" in
${moves(all)}
      (*) count+=1 ;;
    esac
  done
  case "$place $previous" in
${all.flatMap(optionValues).join("\n")}
  esac
  if [[ "$current" == -* ]]; then
    case "$place" in
${all.map(optionNames).join("\n")}
    esac
    _describe option offered
    return
  fi
  case "$place:$count" in
${all.flatMap(nextWords).join("\n")}
  esac
}

if [[ "\${funcstack[1]}" == "_signet" ]]; then
  _signet "$@"
else
  compdef _signet signet
fi
`;
}

function moves(all: readonly Place[]): string {
  return all
    .flatMap(({ path, commands }) =>
      commands.map(
        ({ name }) => `      ("${path}/${name}") place="${`${path} ${name}`.trim()}" ;;`,
      ),
    )
    .join("\n");
}

function optionValues(place: Place): string[] {
  return place.options.flatMap((option) => {
    if (option.value === undefined) return [];
    const patterns = namesOf(option).map((name) => `"${place.path} ${name}"`);
    return [`    (${patterns.join("|")}) ${offer(option.value.kind)}; return ;;`];
  });
}

function optionNames({ path, options }: Place): string {
  const described = options.flatMap((option) =>
    namesOf(option).map((name) => describe(name, option.summary)),
  );
  return `      ("${path}") offered=(${described.join(" ")}) ;;`;
}

function nextWords(place: Place): string[] {
  if (place.commands.length > 0) {
    const described = place.commands.map(({ name, summary }) => describe(name, summary));
    const then = "_describe command offered";
    return [`    ("${place.path}:"*) offered=(${described.join(" ")}); ${then} ;;`];
  }
  return place.arguments.map(
    ({ kind }, index) => `    ("${place.path}:${index}") ${offer(kind)} ;;`,
  );
}

function offer(kind: ValueKind): string {
  if (typeof kind === "object") return `compadd ${kind.choices.join(" ")}`;
  if (kind === "directory") return "_files -/";
  const asked = askedKind(kind);
  const parts = [
    ...(asked === null ? [] : [`_signet_ask ${asked}`]),
    ...(kind === "file" || kind === "pod-or-file" ? ["_files"] : []),
  ];
  return parts.length === 0 ? ":" : parts.join("; ");
}

function describe(name: string, summary: string): string {
  return `'${name}:${summary.replaceAll("'", "'\\''")}'`;
}
