package gopackage

// Help returns the help of flags whose tags would be too long with it, by the names in the tags.
func Help() map[string]string {
	return map[string]string{
		"gopackage_out": "Folder of the package. A spec that emits several packages gets one folder for each inside it. Default: a folder here, named " +
			"after the package.",
		"gopackage_package": "Name of the package. Default: what the spec's target says, else the package of the Go files in DIR, else the name of DIR, " +
			"else the model's name.",
	}
}
