package main

import (
	"slices"

	"github.com/alecthomas/kong"

	"github.com/debertac/debertac/cmd/debertac/completion"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

type helpVerb struct {
	Verb string `arg:"" optional:"" help:"Verb to describe. Default: list all verbs."`
}

// Help is the long help.
func (helpVerb) Help() string {
	return `Prints the help of a verb, as VERB --help does, or the list of all verbs.

Example:
  debertac help run`
}

// Run prints the help.
func (v *helpVerb) Run(k *kong.Context) error {
	args := []string{"--help"}
	if v.Verb != "" {
		if names := completion.Names(k.Model); !slices.Contains(names, v.Verb) {
			return fault.Usage("debertac help", "there is no verb %q; there are %s", v.Verb, wording.List(names))
		}
		args = []string{v.Verb, "--help"}
	}
	_, err := k.Parse(args) // prints it and exits
	return err
}

// usual maps what people first type when they do not know a command to the verb that it stands for.
var usual = map[string]string{"-v": "version", "--version": "version", "-version": "version", "-help": "help", "-?": "help"}

// spelled replaces a first argument that stands for a verb by that verb.
func spelled(args []string) []string {
	if len(args) > 0 && usual[args[0]] != "" {
		return slices.Concat([]string{usual[args[0]]}, args[1:])
	}
	return args
}
