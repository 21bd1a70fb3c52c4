// Completion for fish 3 and later. Pure text.
import type { Command, Option, ValueKind } from "../command-tree.ts";
import type { Place } from "./table.ts";
import { askedKind, places, valueOptionNames } from "./table.ts";

/** The script for ~/.config/fish/completions/signet.fish, or for `signet completion fish | source`. */
export function fishCompletion(root: Command): string {
  const all = places(root);
  return `# fish completion for signet, made from its command tree.
# Load it with: signet completion fish > ~/.config/fish/completions/signet.fish
function __signet_place
    set -l words (commandline -opc)
    set -l place
    set -l count 0
    set -l skip 0
    for word in $words[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case --
                echo "--"
                return
            case ${valueOptionNames(all).join(" ")}
                set skip 1
                continue
            case '-*'
                continue
        end
        switch "$place/$word"
${moves(all)}
            case '*'
                set count (math $count + 1)
        end
    end
    echo "$place:$count"
end

function __signet_at
    set -l here (__signet_place)
    string match -q -- $argv[1] $here
end

complete -c signet -f
complete -c signet -n '__signet_at "--"' -F
${all.flatMap(linesOf).join("\n")}
`;
}

function moves(all: readonly Place[]): string {
  return all
    .flatMap(({ path, commands }) =>
      commands.map(
        ({ name }) =>
          `            case '${path}/${name}'\n                set place '${`${path} ${name}`.trim()}'`,
      ),
    )
    .join("\n");
}

function linesOf(place: Place): string[] {
  const anywhere = `-n '__signet_at "${place.path}:*"'`;
  const commands = place.commands.map(
    ({ name, summary }) => `complete -c signet ${anywhere} -a ${name} -d ${quote(summary)}`,
  );
  const options = place.options.map(
    (option) => `complete -c signet ${anywhere} ${optionText(option)}`,
  );
  const words = place.arguments.map(({ kind, summary }, index) => {
    const at = `-n '__signet_at "${place.path}:${index}"'`;
    const values = valuesText(kind);
    return values === "" ? "" : `complete -c signet ${at} ${values} -d ${quote(summary)}`;
  });
  return [...commands, ...options, ...words].filter((line) => line !== "");
}

function optionText(option: Option): string {
  const short = option.short === undefined ? "" : `-s ${option.short.slice(1)} `;
  const value = option.value === undefined ? "" : ` -x ${valuesText(option.value.kind)}`.trimEnd();
  return `${short}-l ${option.long.slice(2)}${value} -d ${quote(option.summary)}`;
}

function valuesText(kind: ValueKind): string {
  if (typeof kind === "object") return `-a '${kind.choices.join(" ")}'`;
  if (kind === "directory") return "-a '(__fish_complete_directories)'";
  const asked = askedKind(kind);
  const names = asked === null ? "" : `-a '(signet complete ${asked} 2>/dev/null)'`;
  return kind === "file" || kind === "pod-or-file" ? `-F ${names}`.trimEnd() : names;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
