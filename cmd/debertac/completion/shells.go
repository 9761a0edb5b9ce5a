package completion

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// bashRule writes values for the script: W and words, D for folders, E and the extension of files, separated by |. It returns "" for values that
// cannot be completed.
func bashRule(v Values) string {
	var rules []string
	if len(v.Words) > 0 {
		rules = append(rules, "W "+strings.Join(v.Words, " "))
	}
	if !slices.Contains(v.Files, "") && (v.Dirs || len(v.Files) > 0) { // a file may lie in a folder
		rules = append(rules, "D")
	}
	for _, e := range v.Files {
		rules = append(rules, "E "+e)
	}
	return strings.Join(rules, "|")
}

// BashScript prints the script for bash 3.2 and newer: the table of values, and a function that looks into it.
func BashScript(w io.Writer, verbs []Verb) error {
	var names, flags, rules []string
	for _, v := range verbs {
		names = append(names, v.Name)
		var words []string
		for _, f := range v.Flags {
			words = append(words, "--"+f.Name)
			if f.Short != "" {
				words = append(words, "-"+f.Short)
			}
			if !f.Takes {
				continue
			}
			pattern := fmt.Sprintf("%q", v.Name+" --"+f.Name)
			if f.Short != "" {
				pattern += fmt.Sprintf("|%q", v.Name+" -"+f.Short)
			}
			rules = append(rules, fmt.Sprintf("    %s) rule='%s' ;;", pattern, bashRule(f.Values)))
		}
		rules = append(rules, fmt.Sprintf("    %q) rule='%s' ;;", v.Name+" ", bashRule(v.Args)))
		flags = append(flags, fmt.Sprintf("    %s) words='%s' ;;", v.Name, strings.Join(words, " ")))
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

// zshAction returns the action of zsh's _arguments for values.
func zshAction(v Values) string {
	var parts []string
	if len(v.Words) > 0 {
		parts = append(parts, fmt.Sprintf(`"words:word:(%s)"`, strings.Join(v.Words, " ")))
	}
	if v.Dirs {
		parts = append(parts, `"folders:folder:_directories"`)
	}
	for _, e := range v.Files {
		parts = append(parts, fmt.Sprintf(`"files:file:_files -g \*%s"`, e))
	}
	switch len(parts) {
	case 0:
		return " "
	case 1:
		switch {
		case len(v.Words) > 0:
			return "(" + strings.Join(v.Words, " ") + ")"
		case v.Dirs:
			return "_directories"
		case v.Files[0] == "":
			return "_files"
		}
		return fmt.Sprintf(`_files -g "*%s"`, v.Files[0])
	}
	return " _alternative " + strings.Join(parts, " ") // the space keeps _arguments from adding options of its own
}

// ZshScript prints the script for zsh.
func ZshScript(w io.Writer, verbs []Verb) error {
	var names, cases []string
	for _, v := range verbs {
		names = append(names, fmt.Sprintf("    '%s:%s'", v.Name, zshQuote.Replace(v.Help)))
		var flags []string
		for _, f := range v.Flags {
			forms := []string{"--" + f.Name}
			if f.Short != "" {
				forms = append(forms, "-"+f.Short)
			}
			for _, form := range forms {
				arg := ""
				if f.Takes {
					if strings.HasPrefix(form, "--") {
						form += "="
					}
					arg = ":value:" + zshAction(f.Values)
				}
				flags = append(flags, fmt.Sprintf("'%s[%s]%s'", form, zshQuote.Replace(f.Help), arg))
			}
		}
		cases = append(cases, fmt.Sprintf("    %s) _arguments %s '*:argument:%s' ;;", v.Name, strings.Join(flags, " "), zshAction(v.Args)))
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

// fishWords returns the argument of fish's complete -a for values.
func fishWords(v Values) string {
	parts := append([]string(nil), v.Words...)
	if v.Dirs {
		parts = append(parts, "(__fish_complete_directories (commandline -ct))")
	}
	for _, e := range v.Files {
		parts = append(parts, fmt.Sprintf("(__fish_complete_suffix %q)", e))
	}
	return strings.Join(parts, " ")
}

// FishScript prints the script for fish.
func FishScript(w io.Writer, verbs []Verb) error {
	quote := strings.NewReplacer("'", "’", `\`, `\\`)
	lines := []string{"complete -c debertac -f"}
	for _, v := range verbs {
		lines = append(lines, fmt.Sprintf("complete -c debertac -n __fish_use_subcommand -a %s -d '%s'", v.Name, quote.Replace(v.Help)))
		if !v.Args.Free() {
			lines = append(lines, fmt.Sprintf("complete -c debertac -n '__fish_seen_subcommand_from %s' -a '%s'", v.Name, fishWords(v.Args)))
		}
		for _, f := range v.Flags {
			line := fmt.Sprintf("complete -c debertac -n '__fish_seen_subcommand_from %s' -l %s", v.Name, f.Name)
			if f.Short != "" {
				line += " -s " + f.Short
			}
			if f.Takes {
				line += " -x"
				if !f.Values.Free() {
					line += fmt.Sprintf(" -a '%s'", fishWords(f.Values))
				}
			}
			lines = append(lines, line+fmt.Sprintf(" -d '%s'", quote.Replace(f.Help)))
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
