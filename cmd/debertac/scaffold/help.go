package scaffold

// Help returns the help of flags whose tags would be too long with it, by the names in the tags.
func Help() map[string]string {
	return map[string]string{
		"scaffold_module": "Path of the Go module to make. Default: the folder's name, in lower case, with hyphens in place of other characters; my- is " +
			"put in front of a name that another package or model has.",
	}
}
