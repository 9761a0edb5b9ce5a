package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long help.
func (completionVerb) Help() string {
	return `Prints a script that teaches a shell the verbs and flags of debertac.

Examples:
  source <(debertac completion bash)                                       this shell
  debertac completion zsh > "${fpath[1]}/_debertac"                        zsh, from the next start on
  debertac completion fish > ~/.config/fish/completions/debertac.fish      fish`
}

// Run prints the script.
func (v *completionVerb) Run(a *app) error {
	verbs := wordsOf(a.parser.Model)
	switch v.Shell {
	case "bash":
		return bashScript(a.out, verbs)
	case "zsh":
		return zshScript(a.out, verbs)
	}
	return fishScript(a.out, verbs)
}

// verbWords is what can be completed behind a verb.
type verbWords struct {
	name, help string
	flags      []flagWords
}

type flagWords struct{ name, help string }

// wordsOf lists the verbs of the command line with their flags.
func wordsOf(model *kong.Application) []verbWords {
	var verbs []verbWords
	for _, n := range model.Children {
		v := verbWords{name: n.Name, help: n.Help}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				v.flags = append(v.flags, flagWords{f.Name, f.Help})
			}
		}
		slices.SortFunc(v.flags, func(a, b flagWords) int { return strings.Compare(a.name, b.name) })
		verbs = append(verbs, v)
	}
	return verbs
}

func bashScript(w io.Writer, verbs []verbWords) error {
	var names, cases []string
	for _, v := range verbs {
		names = append(names, v.name)
		var flags []string
		for _, f := range v.flags {
			flags = append(flags, "--"+f.name)
		}
		cases = append(cases, fmt.Sprintf("    %s) words=\"%s\" ;;", v.name, strings.Join(flags, " ")))
	}
	_, err := fmt.Fprintf(w, `_debertac() {
  local word="${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "%s" -- "$word"))
    return
  fi
  case "${COMP_WORDS[1]}" in
%s
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  fi
}
complete -o default -F _debertac debertac
`, strings.Join(names, " "), strings.Join(cases, "\n"))
	return err
}

// zshQuote makes a description safe inside of single quotes and of zsh's brackets.
var zshQuote = strings.NewReplacer("'", "’", "[", "(", "]", ")", ":", ",")

func zshScript(w io.Writer, verbs []verbWords) error {
	var names, cases []string
	for _, v := range verbs {
		names = append(names, fmt.Sprintf("    '%s:%s'", v.name, zshQuote.Replace(v.help)))
		var flags []string
		for _, f := range v.flags {
			flags = append(flags, fmt.Sprintf("'--%s[%s]'", f.name, zshQuote.Replace(f.help)))
		}
		cases = append(cases, fmt.Sprintf("    %s) _arguments %s '*:file:_files' ;;", v.name, strings.Join(flags, " ")))
	}
	_, err := fmt.Fprintf(w, `#compdef debertac
_debertac() {
  local -a verbs
  verbs=(
%s
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$verb" in
%s
  esac
}
if [ "$funcstack[1]" = "_debertac" ]; then _debertac "$@"; else compdef _debertac debertac; fi
`, strings.Join(names, "\n"), strings.Join(cases, "\n"))
	return err
}

func fishScript(w io.Writer, verbs []verbWords) error {
	quote := strings.NewReplacer("'", "’", `\`, `\\`)
	var lines []string
	for _, v := range verbs {
		lines = append(lines, fmt.Sprintf("complete -c debertac -n __fish_use_subcommand -f -a %s -d '%s'", v.name, quote.Replace(v.help)))
		for _, f := range v.flags {
			lines = append(lines, fmt.Sprintf("complete -c debertac -n '__fish_seen_subcommand_from %s' -l %s -d '%s'", v.name, f.name, quote.Replace(f.help)))
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
