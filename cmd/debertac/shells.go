package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// bashRule says for the script what is completed, with | between: W and words, D for folders, E and the ending of files. It is empty for nothing.
func bashRule(v values) string {
	var rules []string
	if len(v.words) > 0 {
		rules = append(rules, "W "+strings.Join(v.words, " "))
	}
	if !slices.Contains(v.files, "") && (v.dirs || len(v.files) > 0) { // a file may lie in a folder
		rules = append(rules, "D")
	}
	for _, e := range v.files {
		rules = append(rules, "E "+e)
	}
	return strings.Join(rules, "|")
}

// bashScript prints the script for bash 3.2 and newer: the table of values, and a function that looks into it.
func bashScript(w io.Writer, verbs []verbWords) error {
	var names, flags, rules []string
	for _, v := range verbs {
		names = append(names, v.name)
		var words []string
		for _, f := range v.flags {
			words = append(words, "--"+f.name)
			if f.short != "" {
				words = append(words, "-"+f.short)
			}
			if !f.takes {
				continue
			}
			pattern := fmt.Sprintf("%q", v.name+" --"+f.name)
			if f.short != "" {
				pattern += fmt.Sprintf("|%q", v.name+" -"+f.short)
			}
			rules = append(rules, fmt.Sprintf("    %s) rule='%s' ;;", pattern, bashRule(f.values)))
		}
		rules = append(rules, fmt.Sprintf("    %q) rule='%s' ;;", v.name+" ", bashRule(v.args)))
		flags = append(flags, fmt.Sprintf("    %s) words='%s' ;;", v.name, strings.Join(words, " ")))
	}
	_, err := fmt.Fprintf(w, `# completion of debertac for bash
_debertac_rule() { # verb, flag: sets rule; returns 1 if the flag takes no value
  rule=
  case "$1 $2" in
%s
    *) return 1 ;;
  esac
}
_debertac() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" verb="${COMP_WORDS[1]}" words='' rule='' part
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '%s' -- "$word"))
    return
  fi
  # bash splits a flag and its value at the sign =.
  if [ "$word" = '=' ]; then
    word=''
  elif [ "$before" = '=' ]; then
    before="${COMP_WORDS[COMP_CWORD-2]}"
  fi
  if [[ "$before" != -* ]] || ! _debertac_rule "$verb" "$before"; then
    if [[ "$word" == -* ]]; then
      case "$verb" in
%s
      esac
      COMPREPLY=($(compgen -W "$words" -- "$word"))
      return
    fi
    _debertac_rule "$verb" '' || return
  fi
  local IFS='|'
  for part in $rule; do
    IFS=$'\n'
    case "$part" in
      W*) IFS=$' \n'; COMPREPLY+=($(compgen -W "${part#W }" -- "$word")); IFS=$'\n' ;;
      D) COMPREPLY+=($(compgen -d -- "$word")); compopt -o filenames 2>/dev/null ;;
      E*) COMPREPLY+=($(compgen -f -X "!*${part#E }" -- "$word")); compopt -o filenames 2>/dev/null ;;
    esac
  done
}
complete -F _debertac debertac
`, strings.Join(rules, "\n"), strings.Join(names, " "), strings.Join(flags, "\n"))
	return err
}

// zshQuote makes a description safe inside of single quotes and of zsh's brackets.
var zshQuote = strings.NewReplacer("'", "’", "[", "(", "]", ")", ":", ",")

// zshAction is what _arguments does for values.
func zshAction(v values) string {
	var parts []string
	if len(v.words) > 0 {
		parts = append(parts, fmt.Sprintf(`"words:word:(%s)"`, strings.Join(v.words, " ")))
	}
	if v.dirs {
		parts = append(parts, `"folders:folder:_directories"`)
	}
	for _, e := range v.files {
		parts = append(parts, fmt.Sprintf(`"files:file:_files -g \*%s"`, e))
	}
	switch len(parts) {
	case 0:
		return " "
	case 1:
		switch {
		case len(v.words) > 0:
			return "(" + strings.Join(v.words, " ") + ")"
		case v.dirs:
			return "_directories"
		case v.files[0] == "":
			return "_files"
		}
		return fmt.Sprintf(`_files -g "*%s"`, v.files[0])
	}
	return " _alternative " + strings.Join(parts, " ") // the space keeps _arguments from adding options of its own
}

// zshScript prints the script for zsh.
func zshScript(w io.Writer, verbs []verbWords) error {
	var names, cases []string
	for _, v := range verbs {
		names = append(names, fmt.Sprintf("    '%s:%s'", v.name, zshQuote.Replace(v.help)))
		var flags []string
		for _, f := range v.flags {
			forms := []string{"--" + f.name}
			if f.short != "" {
				forms = append(forms, "-"+f.short)
			}
			for _, form := range forms {
				arg := ""
				if f.takes {
					if strings.HasPrefix(form, "--") {
						form += "="
					}
					arg = ":value:" + zshAction(f.values)
				}
				flags = append(flags, fmt.Sprintf("'%s[%s]%s'", form, zshQuote.Replace(f.help), arg))
			}
		}
		cases = append(cases, fmt.Sprintf("    %s) _arguments %s '*:argument:%s' ;;", v.name, strings.Join(flags, " "), zshAction(v.args)))
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

// fishWords is what fish's complete -a takes for values.
func fishWords(v values) string {
	parts := append([]string(nil), v.words...)
	if v.dirs {
		parts = append(parts, "(__fish_complete_directories (commandline -ct))")
	}
	for _, e := range v.files {
		parts = append(parts, fmt.Sprintf("(__fish_complete_suffix %q)", e))
	}
	return strings.Join(parts, " ")
}

// fishScript prints the script for fish.
func fishScript(w io.Writer, verbs []verbWords) error {
	quote := strings.NewReplacer("'", "’", `\`, `\\`)
	lines := []string{"complete -c debertac -f"}
	for _, v := range verbs {
		lines = append(lines, fmt.Sprintf("complete -c debertac -n __fish_use_subcommand -a %s -d '%s'", v.name, quote.Replace(v.help)))
		if !v.args.free() {
			lines = append(lines, fmt.Sprintf("complete -c debertac -n '__fish_seen_subcommand_from %s' -a '%s'", v.name, fishWords(v.args)))
		}
		for _, f := range v.flags {
			line := fmt.Sprintf("complete -c debertac -n '__fish_seen_subcommand_from %s' -l %s", v.name, f.name)
			if f.short != "" {
				line += " -s " + f.short
			}
			if f.takes {
				line += " -x"
				if !f.values.free() {
					line += fmt.Sprintf(" -a '%s'", fishWords(f.values))
				}
			}
			lines = append(lines, line+fmt.Sprintf(" -d '%s'", quote.Replace(f.help)))
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
