package scaffold

// Help returns the help texts that are too long for tags. The tag of such a flag has @ and the name of the text.
func Help() map[string]string {
	return map[string]string{
		"scaffold_module": "Path of the Go module to make. Default: the folder's name, in lower case, with hyphens in place of other characters; my- is " +
			"put in front of a name that another package or model has.",
	}
}
