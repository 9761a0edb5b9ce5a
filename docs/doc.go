// Package docs holds the pages that users read. Some sections are made from the code: the words of the language, the message codes, the published
// models, the help of the command line. go generate fills them in, and a test checks that they are up to date.
package docs

//go:generate go run ./tables .
