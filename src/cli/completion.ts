/**
 * `tollcall completion`: a script with which a shell completes commands and options.
 * @module
 */
import { Argument, type Command } from 'commander';

/** Adds `tollcall completion`; add it last, it knows the commands before it. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('a script that completes commands in your shell')
    .description('Prints a script with which your shell completes commands and options.')
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh']))
    .addHelpText(
      'after',
      `
Examples:
  source <(tollcall completion bash)   in ~/.bashrc
  source <(tollcall completion zsh)    in ~/.zshrc, after compinit`,
    )
    .action((shell: string) => {
      const script = bashScript(program);
      process.stdout.write(shell === 'zsh' ? `${ZSH_HEAD}${script}` : script);
    });
}

/** Zsh runs completions that were written for Bash. */
const ZSH_HEAD = 'autoload -U +X bashcompinit && bashcompinit\n';

function bashScript(program: Command): string {
  const cases = program.commands.flatMap((command) => [
    caseOf(command.name(), command),
    ...command.commands.map((inner) => caseOf(`${command.name()} ${inner.name()}`, inner)),
  ]);
  return `_tollcall() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1}" in
${cases.toReversed().join('\n')}
    '') words='${program.commands.map((command) => command.name()).join(' ')} --help --version' ;;
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _tollcall tollcall
`;
}

function caseOf(path: string, command: Command): string {
  const options = command.options.map((option) => option.long ?? '').filter((name) => name !== '');
  const words = [...command.commands.map((inner) => inner.name()), ...options, '--help'];
  return `    '${path}'*) words='${words.join(' ')}' ;;`;
}
