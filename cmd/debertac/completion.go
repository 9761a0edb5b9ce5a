package main

import (
	"github.com/alecthomas/kong"

	"github.com/debertac/debertac/cmd/debertac/completion"
	"github.com/debertac/debertac/cmd/debertac/console"
)

type completionVerb struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long help.
func (completionVerb) Help() string {
	return `Prints a script that teaches a shell the verbs and flags of debertac, and the values that they take: heads, instruction sets,
message codes, passes, published models, and files by their extension.

Examples:
  source <(debertac completion bash)                                       this shell
  debertac completion zsh > "${fpath[1]}/_debertac"                        zsh, from the next start on
  debertac completion fish > ~/.config/fish/completions/debertac.fish      fish`
}

// Run prints the script.
func (v *completionVerb) Run(k *kong.Context, c *console.Console) error {
	verbs := completion.Verbs(k.Model)
	switch v.Shell {
	case "bash":
		return completion.BashScript(c.Out, verbs)
	case "zsh":
		return completion.ZshScript(c.Out, verbs)
	}
	return completion.FishScript(c.Out, verbs)
}
