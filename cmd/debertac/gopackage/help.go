package gopackage

// Help returns the help texts that are too long for tags. The tag of such a flag has @ and the name of the text.
func Help() map[string]string {
	return map[string]string{
		"gopackage_out": "Folder of the package. A spec that emits several packages gets one folder for each inside it. Default: a folder here, named " +
			"after the package.",
		"gopackage_package": "Name of the package. Default: the name in the spec's target, else the package of the Go files in DIR, else the name of DIR, " +
			"else the model's name.",
	}
}
